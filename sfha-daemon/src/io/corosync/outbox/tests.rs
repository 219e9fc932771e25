use super::*;

#[test]
fn only_an_open_outbox_takes_messages_and_closing_counts_what_is_left() {
    let outbox = Outbox::new().unwrap();
    assert!(matches!(outbox.push(vec![1]), Err(CorosyncError::NotConnected)));
    outbox.open();
    for byte in 1..=3 {
        outbox.push(vec![byte]).unwrap();
    }
    assert_eq!(outbox.pop(), Some(vec![1]));
    assert_eq!(outbox.close(), 2);
    assert_eq!(outbox.pop(), None);
    assert!(matches!(outbox.push(vec![1]), Err(CorosyncError::NotConnected)));
}

#[test]
fn what_waits_is_limited_in_bytes_and_there_is_room_again_when_it_is_taken() {
    let outbox = Outbox::new().unwrap();
    outbox.open();
    let half = MAX_QUEUED_BYTES / 2;
    outbox.push(vec![0; half]).unwrap();
    outbox.push(vec![0; half]).unwrap();
    let queued = 2 * half;
    assert!(matches!(outbox.push(vec![0]), Err(CorosyncError::QueueFull { queued: q }) if q == queued));
    outbox.pop();
    outbox.push(vec![0]).unwrap();
}

#[test]
fn who_leaves_is_told_when_it_is_over_even_afterwards() {
    let outbox = Outbox::new().unwrap();
    outbox.open();
    let mut first = outbox.leave();
    assert!(outbox.leaving());
    assert!(matches!(outbox.push(vec![1]), Err(CorosyncError::NotConnected)));
    assert_eq!(first.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    outbox.ended();
    assert_eq!(first.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert_eq!(outbox.leave().try_recv(), Err(oneshot::error::TryRecvError::Closed));
}
