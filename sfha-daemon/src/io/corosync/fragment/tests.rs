use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const A: Member = Member { node: 1, pid: 10 };
const B: Member = Member { node: 2, pid: 20 };

fn payload(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// All frames of what is loaded; each comes back at once.
fn send_all(outgoing: &mut Outgoing) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = outgoing.frame() {
        outgoing.sent();
        outgoing.came_back();
        frames.push(frame);
    }
    frames
}

#[test]
fn every_size_comes_out_as_it_went_in() {
    for len in [0, 1, FRAME_PAYLOAD - 1, FRAME_PAYLOAD, FRAME_PAYLOAD + 1, 3 * FRAME_PAYLOAD, MAX_PAYLOAD] {
        let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
        outgoing.load(payload(len));
        let frames = send_all(&mut outgoing);
        assert_eq!(frames.len(), len.div_ceil(FRAME_PAYLOAD).max(1), "{len}");
        let complete: Vec<_> = frames.iter().filter_map(|f| incoming.frame(A, f).unwrap()).collect();
        assert_eq!(complete.len(), 1, "{len}");
        assert!(complete[0].payload == payload(len), "{len}");
        assert_eq!(outgoing.undelivered(), 1);
        outgoing.delivered(complete[0].id);
        assert_eq!(outgoing.undelivered(), 0);
        assert!(outgoing.is_free());
    }
}

#[test]
fn messages_of_two_members_do_not_mix() {
    let (mut a, mut b, mut incoming) = (Outgoing::default(), Outgoing::default(), Incoming::default());
    a.load(payload(2 * FRAME_PAYLOAD));
    b.load(vec![7; 2 * FRAME_PAYLOAD]);
    let (a, b) = (send_all(&mut a), send_all(&mut b));
    assert!(incoming.frame(A, &a[0]) == Ok(None));
    assert!(incoming.frame(B, &b[0]) == Ok(None));
    assert!(incoming.frame(A, &a[1]).unwrap().unwrap().payload == payload(2 * FRAME_PAYLOAD));
    assert!(incoming.frame(B, &b[1]).unwrap().unwrap().payload == vec![7; 2 * FRAME_PAYLOAD]);
}

#[test]
fn a_message_of_several_frames_lets_nothing_overtake_it() {
    let mut outgoing = Outgoing::default();
    outgoing.load(payload(2 * FRAME_PAYLOAD));
    send_all(&mut outgoing);
    assert!(!outgoing.is_free());
    outgoing.delivered(1);
    assert!(outgoing.is_free());
}

#[test]
fn no_more_than_a_window_of_frames_is_on_the_way() {
    let mut outgoing = Outgoing::default();
    outgoing.load(payload(MAX_PAYLOAD));
    for _ in 0..WINDOW {
        assert!(outgoing.frame().is_some());
        outgoing.sent();
    }
    assert!(outgoing.frame().is_none());
    outgoing.came_back();
    assert!(outgoing.frame().is_some());
}

#[test]
fn the_half_of_a_member_that_left_is_forgotten() {
    let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
    outgoing.load(payload(2 * FRAME_PAYLOAD));
    let frames = send_all(&mut outgoing);
    assert!(incoming.frame(A, &frames[0]) == Ok(None));
    incoming.forget(A);
    assert!(incoming.frame(A, &frames[1]) == Ok(None));
    assert!(!incoming.forget_all(A));
}

#[test]
fn what_is_not_a_frame_is_refused() {
    let mut outgoing = Outgoing::default();
    outgoing.load(payload(3 * FRAME_PAYLOAD));
    let good = send_all(&mut outgoing);
    let changed = |at: usize, byte: u8| {
        let mut frame = good[1].clone();
        frame[at] = byte;
        frame
    };
    let mut incoming = Incoming::default();
    let too_long = changed(19, 1);
    let beyond_the_end = changed(14, 1);
    for bad in
        [vec![], good[0][..HEADER_LEN].to_vec(), changed(0, b'X'), changed(2, 2), too_long, beyond_the_end]
    {
        assert!(incoming.frame(A, &bad) == Err(BadFrame));
    }
    let (another_total, a_gap) = (changed(18, 2), good[2].clone());
    for bad in [another_total, a_gap] {
        assert!(incoming.frame(A, &good[0]) == Ok(None));
        assert!(incoming.frame(A, &bad) == Err(BadFrame));
        assert!(incoming.frame(A, &good[1]) == Ok(None), "the beginning is forgotten");
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Member 0 or 1 multicasts a message of so many bytes.
    Multicast(usize, usize),
    /// Member 0 or 1 puts so many frames into the order.
    Send(usize, usize),
    /// The next so many entries of the order are delivered to everybody.
    Deliver(usize),
    /// A newcomer's joining gets its place in the order.
    Join,
}

enum Entry {
    Frame(usize, Vec<u8>),
    Join,
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![0usize..100, 0..5 * FRAME_PAYLOAD];
    prop_oneof![
        3 => (0usize..2, len).prop_map(|(who, len)| Step::Multicast(who, len)),
        5 => (0usize..2, 1usize..4).prop_map(|(who, n)| Step::Send(who, n)),
        5 => (1usize..5).prop_map(Step::Deliver),
        1 => Just(Step::Join),
    ]
}

/// Two members that send, an order, and newcomers that only receive.
#[derive(Default)]
struct World {
    senders: [Outgoing; 2],
    queued: [VecDeque<Vec<u8>>; 2],
    order: VecDeque<Entry>,
    /// The first two are the senders.
    receivers: Vec<Incoming>,
    got: Vec<Vec<(usize, Vec<u8>)>>,
    /// How much the first one had when this one joined.
    joined_at: Vec<usize>,
}

impl World {
    fn join(&mut self) {
        for (who, receiver) in self.receivers.iter_mut().enumerate() {
            let local = [A, B].get(who).copied().unwrap_or(Member { node: 9, pid: 9 });
            if receiver.forget_all(local) {
                self.senders[who].restart();
            }
        }
        self.joined_at.push(self.got.first().map_or(0, Vec::len));
        self.receivers.push(Incoming::default());
        self.got.push(Vec::new());
    }

    fn send(&mut self, who: usize) -> bool {
        if self.senders[who].is_free()
            && let Some(payload) = self.queued[who].pop_front()
        {
            self.senders[who].load(payload);
        }
        let Some(frame) = self.senders[who].frame() else { return false };
        self.senders[who].sent();
        self.order.push_back(Entry::Frame(who, frame));
        true
    }

    fn deliver(&mut self) -> bool {
        match self.order.pop_front() {
            None => return false,
            Some(Entry::Join) => self.join(),
            Some(Entry::Frame(who, frame)) => {
                self.senders[who].came_back();
                for (index, receiver) in self.receivers.iter_mut().enumerate() {
                    if let Some(complete) = receiver.frame([A, B][who], &frame).unwrap() {
                        self.got[index].push((who, complete.payload));
                        if index == who {
                            self.senders[who].delivered(complete.id);
                        }
                    }
                }
            }
        }
        true
    }
}

proptest! {
    #[test]
    fn everybody_gets_everything_once_in_one_order_from_the_moment_of_joining(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut world = World::default();
        world.join();
        world.join();
        let mut sent = [Vec::new(), Vec::new()];
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Multicast(who, len) => {
                    let mut payload = payload(len);
                    payload.extend_from_slice(&number.to_le_bytes());
                    sent[who].push(payload.clone());
                    world.queued[who].push_back(payload);
                }
                Step::Send(who, n) => { (0..n).all(|_| world.send(who)); }
                Step::Deliver(n) => { (0..n).all(|_| world.deliver()); }
                Step::Join => world.order.push_back(Entry::Join),
            }
        }
        while world.send(0) || world.send(1) || world.deliver() {}
        for (who, sent) in sent.iter().enumerate() {
            prop_assert_eq!(world.senders[who].undelivered(), 0);
            let from: Vec<_> = world.got[0].iter().filter(|(w, _)| *w == who).map(|(_, p)| p).collect();
            prop_assert!(from.into_iter().eq(sent), "sender {who}");
        }
        for (index, got) in world.got.iter().enumerate() {
            prop_assert!(got[..] == world.got[0][world.joined_at[index]..], "receiver {index}");
        }
    }

    #[test]
    fn a_hostile_frame_does_no_harm(frame in proptest::collection::vec(any::<u8>(), 0..64), valid in any::<bool>()) {
        let mut frame = frame;
        if valid {
            frame.splice(0..frame.len().min(4), MAGIC);
        }
        let _ = Incoming::default().frame(A, &frame);
    }
}
