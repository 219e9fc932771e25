use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const A: Member = Member { node: 1, pid: 10 };
const B: Member = Member { node: 2, pid: 20 };
const RING: RingId = RingId { node: 1, seq: 4 };

fn payload(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// All frames of what is loaded; each comes back at once.
fn send_all(outgoing: &mut Outgoing) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = outgoing.frame(RING) {
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
        let complete: Vec<_> = frames.iter().filter_map(|f| incoming.frame(A, RING, f).unwrap()).collect();
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
    assert!(incoming.frame(A, RING, &a[0]) == Ok(None));
    assert!(incoming.frame(B, RING, &b[0]) == Ok(None));
    assert!(incoming.frame(A, RING, &a[1]).unwrap().unwrap().payload == payload(2 * FRAME_PAYLOAD));
    assert!(incoming.frame(B, RING, &b[1]).unwrap().unwrap().payload == vec![7; 2 * FRAME_PAYLOAD]);
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
        assert!(outgoing.frame(RING).is_some());
        outgoing.sent();
    }
    assert!(outgoing.frame(RING).is_none());
    outgoing.came_back();
    assert!(outgoing.frame(RING).is_some());
}

#[test]
fn the_half_of_a_member_that_left_is_forgotten() {
    let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
    outgoing.load(payload(2 * FRAME_PAYLOAD));
    let frames = send_all(&mut outgoing);
    assert!(incoming.frame(A, RING, &frames[0]) == Ok(None));
    incoming.forget(A);
    assert!(incoming.frame(A, RING, &frames[1]) == Ok(None));
    assert!(!incoming.forget_all(A));
}

#[test]
fn a_frame_of_another_ring_is_dropped_and_everything_that_has_not_come_back_is_sent_again() {
    let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
    let mut frames = Vec::new();
    for len in [1, 2, 3, 2 * FRAME_PAYLOAD] {
        assert!(outgoing.is_free());
        outgoing.load(payload(len));
        frames.append(&mut send_all(&mut outgoing));
    }
    let first = incoming.frame(A, RING, &frames[0]).unwrap().unwrap();
    outgoing.delivered(first.id);
    let next = RingId { seq: RING.seq + 4, ..RING };
    for frame in &frames[1..] {
        assert!(incoming.frame(A, next, frame) == Ok(None));
    }
    outgoing.new_ring();
    let mut again = Vec::new();
    while let Some(frame) = outgoing.frame(next) {
        outgoing.sent();
        if let Some(complete) = incoming.frame(A, next, &frame).unwrap() {
            outgoing.delivered(complete.id);
            again.push(complete.payload.len());
        }
    }
    assert_eq!(again, [2, 3, 2 * FRAME_PAYLOAD]);
    assert_eq!(outgoing.undelivered(), 0);
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
    let too_long = changed(31, 1);
    let beyond_the_end = changed(26, 1);
    for bad in
        [vec![], good[0][..HEADER_LEN].to_vec(), changed(0, b'X'), changed(2, 2), too_long, beyond_the_end]
    {
        assert!(incoming.frame(A, RING, &bad) == Err(BadFrame));
    }
    let (another_total, a_gap) = (changed(30, 2), good[2].clone());
    for bad in [another_total, a_gap] {
        assert!(incoming.frame(A, RING, &good[0]) == Ok(None));
        assert!(incoming.frame(A, RING, &bad) == Err(BadFrame));
        assert!(incoming.frame(A, RING, &good[1]) == Ok(None), "the beginning is forgotten");
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
    /// A newcomer's joining gets its place in the order, in the ring that there is or with a new one.
    Join { new_ring: bool },
}

enum Entry {
    Frame(usize, Vec<u8>),
    Join { new_ring: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![0usize..100, 0..5 * FRAME_PAYLOAD];
    prop_oneof![
        3 => (0usize..2, len).prop_map(|(who, len)| Step::Multicast(who, len)),
        5 => (0usize..2, 1usize..4).prop_map(|(who, n)| Step::Send(who, n)),
        5 => (1usize..5).prop_map(Step::Deliver),
        1 => any::<bool>().prop_map(|new_ring| Step::Join { new_ring }),
    ]
}

/// Two members that send, an order, and newcomers that only receive.
struct World {
    senders: [Outgoing; 2],
    queued: [VecDeque<Vec<u8>>; 2],
    order: VecDeque<Entry>,
    ring: RingId,
    receivers: Vec<Receiver>,
}

/// The first two are the senders.
struct Receiver {
    incoming: Incoming,
    got: Vec<(usize, Vec<u8>)>,
    /// How much the first one had when this one joined.
    joined_at: usize,
    /// A frame of an older ring is cut in half for this one.
    joined_in: RingId,
}

impl World {
    fn new() -> Self {
        let (senders, queued) = Default::default();
        let mut world = Self { senders, queued, order: VecDeque::new(), ring: RING, receivers: Vec::new() };
        world.join(false);
        world.join(false);
        world
    }

    fn join(&mut self, new_ring: bool) {
        self.ring.seq += u64::from(new_ring);
        for (who, receiver) in self.receivers.iter_mut().enumerate() {
            let local = [A, B].get(who).copied().unwrap_or(Member { node: 9, pid: 9 });
            if receiver.incoming.forget_all(local) {
                self.senders[who].restart();
            }
        }
        if new_ring {
            self.senders.iter_mut().for_each(Outgoing::new_ring);
        }
        let joined_at = self.receivers.first().map_or(0, |first| first.got.len());
        let (incoming, got) = Default::default();
        self.receivers.push(Receiver { incoming, got, joined_at, joined_in: self.ring });
    }

    fn send(&mut self, who: usize) -> bool {
        if self.senders[who].is_free()
            && let Some(payload) = self.queued[who].pop_front()
        {
            self.senders[who].load(payload);
        }
        let Some(frame) = self.senders[who].frame(self.ring) else { return false };
        self.senders[who].sent();
        self.order.push_back(Entry::Frame(who, frame));
        true
    }

    fn deliver(&mut self) -> bool {
        match self.order.pop_front() {
            None => return false,
            Some(Entry::Join { new_ring }) => self.join(new_ring),
            Some(Entry::Frame(who, frame)) => {
                self.senders[who].came_back();
                let sent_in = split(&frame).unwrap().sent_in;
                for (index, receiver) in self.receivers.iter_mut().enumerate() {
                    if sent_in.seq < receiver.joined_in.seq {
                        continue;
                    }
                    let complete = receiver.incoming.frame([A, B][who], self.ring, &frame).unwrap();
                    let Some(complete) = complete else { continue };
                    receiver.got.push((who, complete.payload));
                    if index == who {
                        self.senders[who].delivered(complete.id);
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
        let mut world = World::new();
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
                Step::Join { new_ring } => world.order.push_back(Entry::Join { new_ring }),
            }
        }
        while world.send(0) || world.send(1) || world.deliver() {}
        let all = &world.receivers[0].got;
        for (who, sent) in sent.iter().enumerate() {
            prop_assert_eq!(world.senders[who].undelivered(), 0);
            let from: Vec<_> = all.iter().filter(|(w, _)| *w == who).map(|(_, p)| p).collect();
            prop_assert!(from.into_iter().eq(sent), "sender {who}");
        }
        for (index, receiver) in world.receivers.iter().enumerate() {
            prop_assert!(receiver.got[..] == all[receiver.joined_at..], "receiver {index}");
        }
    }

    #[test]
    fn a_hostile_frame_does_no_harm(frame in proptest::collection::vec(any::<u8>(), 0..64), valid in any::<bool>()) {
        let mut frame = frame;
        if valid {
            frame.splice(0..frame.len().min(4), MAGIC);
        }
        let _ = Incoming::default().frame(A, RING, &frame);
    }
}
