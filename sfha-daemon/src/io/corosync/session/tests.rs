use tokio::sync::mpsc::unbounded_channel;

use super::*;

fn threads() -> (Threads, mpsc::Receiver<End>, tokio::sync::mpsc::UnboundedReceiver<CorosyncEvent>) {
    let (events, received) = unbounded_channel();
    let (ended, ends) = mpsc::channel();
    let gate = Arc::new(Gate { open: Mutex::new(true), events });
    (Threads { gate, stop: Arc::new(Wake::new().unwrap()), ended }, ends, received)
}

fn some_event() -> CorosyncEvent {
    CorosyncEvent::Message { from: Member { node: 1, pid: 2 }, payload: vec![3] }
}

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_panic_ends_the_thread_with_its_reason() {
    let (threads, ends, _events) = threads();
    threads.start("test", 7, |_, _, _| panic!("out of {}", "luck"), |handle| Some(*handle)).unwrap();
    let end = ends.recv_timeout(PATIENCE).unwrap();
    assert_eq!(end.result.unwrap_err().to_string(), "the test thread panicked: out of luck");
    assert_eq!(end.undelivered, Some(7));
}

#[test]
fn nothing_is_heard_of_a_thread_that_outlives_its_session() {
    let (threads, ends, mut events) = threads();
    let say = |_: &mut (), emit: Emit<'_>, stop: &Wake| {
        emit(some_event());
        wait::wait(&[stop], PATIENCE).map_err(Lost::poll)?;
        emit(some_event());
        Ok(())
    };
    threads.start("test", (), say, |()| None).unwrap();
    assert_eq!(events.blocking_recv(), Some(some_event()));
    threads.gate.close();
    threads.stop.wake();
    ends.recv_timeout(PATIENCE).unwrap().result.unwrap();
    drop(threads);
    assert_eq!(events.blocking_recv(), None);
}

#[test]
fn a_request_without_an_answer_ends_the_session_after_the_deadline() {
    let (threads, ends, _events) = threads();
    let outbox = Outbox::new().unwrap();
    outbox.set_answer_deadline(Duration::from_millis(10));
    let probe = Arc::new(Probe::default());
    let asked = Arc::clone(&probe);
    let hang = move |_: &mut (), _: Emit<'_>, stop: &Wake| {
        asked.ask(|| wait::wait(&[stop], PATIENCE)).map_err(Lost::poll)
    };
    threads.start("test", (), hang, |()| None).unwrap();
    let end = first_end(&ends, &probe, &outbox);
    assert_eq!(end.result.unwrap_err().to_string(), "corosync does not answer (votequorum)");
    threads.stop.wake();
    ends.recv_timeout(PATIENCE).unwrap().result.unwrap();
    assert_eq!(probe.unanswered_for(), Duration::ZERO);
}

#[test]
fn it_is_looked_when_the_deadline_is_over_and_not_later() {
    let ms = Duration::from_millis;
    for (unanswered, deadline, look) in [
        (0, 1000, Some(PROBE_INTERVAL)),
        (850, 1000, Some(PROBE_INTERVAL)),
        (950, 1000, Some(ms(50))),
        (999, 1000, Some(ms(1))),
        (1000, 1000, None),
        (1500, 1000, None),
    ] {
        assert_eq!(next_look(ms(unanswered), ms(deadline)), look, "{unanswered} of {deadline}");
    }
}
