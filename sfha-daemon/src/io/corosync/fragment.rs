//! Messages of any size over CPG, delivered in the membership that they were sent in.
//!
//! CPG promises that all members deliver the same messages between two changes of the membership (extended virtual
//! synchrony). What it does not do, and is done here:
//!
//! - *It takes 1 MiB at once.* A message goes in frames. A process that joins between two of them would never complete
//!   the message which the others complete after it came. So everybody drops every unfinished message when somebody
//!   joins, and the sender, who sees by its own dropped half that this happened, starts again. For its messages to stay
//!   in order, it sends nothing else until a message of several frames has come back.
//! - *It keeps its promise by packets, not by messages.* The packets of a frame can come to lie on both sides of a change
//!   of the ring: Corosync holds back what was not sent before the synchronisation (`waiting_trans_ack` in its
//!   exec/totemsrp.c, 3.1.7). Then the old members complete the frame after the change, and nodes that came with the
//!   change throw its second half away. Found by reading; it did not happen in a hundred heals under traffic, since most
//!   often the old members form a ring among themselves first, in which they finish. So a frame names the ring it was
//!   sent in, everybody drops a frame of another ring than the present one, and the sender sends again what had not come
//!   back when the ring changed.
//!
//! A frame: `"SF"`, version 1, 0, ring (node u32, sequence u64), id (u64), offset (u32), total length (u32), all little
//! endian, then data.

use std::collections::{BTreeMap, VecDeque};

use super::{Member, RingId};

/// Largest payload, in bytes.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// Most payload in one frame, in bytes.
pub(super) const FRAME_PAYLOAD: usize = 32 << 10;

/// Most frames that are sent and have not come back. Corosync would take more, until its own queue is full; then it
/// answers no request of any client, and what others want to say waits behind all of it.
const WINDOW: usize = 8;

const MAGIC: [u8; 4] = [b'S', b'F', 1, 0];
const HEADER_LEN: usize = 32;

/// A frame that no sfha of this version sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of this version")]
pub(super) struct BadFrame;

/// The sending side.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Messages that have not come back, in order. Only the last one can have several frames.
    pending: VecDeque<Pending>,
    /// How many of them are sent.
    sent: usize,
    /// How much of the next one is sent, in bytes.
    offset: usize,
    /// Frames that are sent and have not come back.
    on_the_way: usize,
    last_id: u64,
}

#[derive(Debug)]
struct Pending {
    id: u64,
    payload: Vec<u8>,
}

impl Outgoing {
    /// Whether the next message can be loaded.
    pub(super) fn is_free(&self) -> bool {
        self.sent == self.pending.len()
            && self.pending.back().is_none_or(|last| last.payload.len() <= FRAME_PAYLOAD)
    }

    pub(super) fn load(&mut self, payload: Vec<u8>) {
        let id = self.next_id();
        self.pending.push_back(Pending { id, payload });
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The frame to send now, if any.
    pub(super) fn frame(&self, ring: RingId) -> Option<Vec<u8>> {
        if self.on_the_way >= WINDOW {
            return None;
        }
        let message = self.pending.get(self.sent)?;
        let data = message.payload.get(self.offset..)?;
        let data = data.get(..FRAME_PAYLOAD).unwrap_or(data);
        let mut frame = Vec::with_capacity(HEADER_LEN + data.len());
        frame.extend_from_slice(&MAGIC);
        frame.extend_from_slice(&ring.node.to_le_bytes());
        frame.extend_from_slice(&ring.seq.to_le_bytes());
        frame.extend_from_slice(&message.id.to_le_bytes());
        // Both fit: a payload is at most MAX_PAYLOAD long.
        frame.extend_from_slice(&u32::try_from(self.offset).ok()?.to_le_bytes());
        frame.extend_from_slice(&u32::try_from(message.payload.len()).ok()?.to_le_bytes());
        frame.extend_from_slice(data);
        Some(frame)
    }

    /// The frame was taken by Corosync.
    pub(super) fn sent(&mut self) {
        let Some(message) = self.pending.get(self.sent) else { return };
        self.on_the_way += 1;
        self.offset += FRAME_PAYLOAD;
        if self.offset >= message.payload.len() {
            self.offset = 0;
            self.sent += 1;
        }
    }

    /// A frame of one's own has come back.
    pub(super) fn came_back(&mut self) {
        self.on_the_way = self.on_the_way.saturating_sub(1);
    }

    /// A message of one's own has come back, whole.
    pub(super) fn delivered(&mut self, id: u64) {
        if self.pending.front().is_some_and(|first| first.id == id) {
            self.pending.pop_front();
            self.sent = self.sent.saturating_sub(1);
        }
    }

    /// Everybody dropped the message of several frames that was under way.
    pub(super) fn restart(&mut self) {
        let id = self.next_id();
        if let Some(last) = self.pending.back_mut() {
            last.id = id;
            self.sent = self.sent.min(self.pending.len() - 1);
            self.offset = 0;
        }
    }

    /// The ring changed: everybody drops what is on the way.
    pub(super) fn new_ring(&mut self) {
        for message in &mut self.pending {
            self.last_id += 1;
            message.id = self.last_id;
        }
        self.sent = 0;
        self.offset = 0;
        self.on_the_way = 0;
    }

    /// Messages that were loaded and have not come back.
    pub(super) fn undelivered(&self) -> usize {
        self.pending.len()
    }
}

/// A message that is complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complete {
    pub(super) id: u64,
    pub(super) payload: Vec<u8>,
}

#[derive(Debug)]
struct Partial {
    id: u64,
    total: usize,
    data: Vec<u8>,
}

/// The receiving side. Holds at most one message per member.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    partial: BTreeMap<Member, Partial>,
}

impl Incoming {
    /// Takes a frame that was delivered in `ring`; gives the message that it completes.
    pub(super) fn frame(
        &mut self,
        from: Member,
        ring: RingId,
        frame: &[u8],
    ) -> Result<Option<Complete>, BadFrame> {
        let Frame { sent_in, id, offset, total, data } = split(frame).ok_or(BadFrame)?;
        if sent_in != ring {
            return Ok(None);
        }
        if offset == 0 {
            self.partial.insert(from, Partial { id, total, data: Vec::with_capacity(total) });
        }
        // A later frame without its beginning: that was before this process joined, or dropped when another joined.
        let Some(partial) = self.partial.get_mut(&from) else { return Ok(None) };
        if partial.id != id {
            return Ok(None);
        }
        if partial.total != total || partial.data.len() != offset {
            self.partial.remove(&from);
            return Err(BadFrame);
        }
        partial.data.extend_from_slice(data);
        if partial.data.len() < total {
            return Ok(None);
        }
        Ok(self.partial.remove(&from).map(|p| Complete { id, payload: p.data }))
    }

    /// A member went.
    pub(super) fn forget(&mut self, member: Member) {
        self.partial.remove(&member);
    }

    /// Somebody joined: all start again. Tells whether `local` has to.
    pub(super) fn forget_all(&mut self, local: Member) -> bool {
        let restart = self.partial.contains_key(&local);
        self.partial.clear();
        restart
    }
}

struct Frame<'a> {
    sent_in: RingId,
    id: u64,
    offset: usize,
    total: usize,
    data: &'a [u8],
}

/// A well-formed frame, taken apart.
fn split(frame: &[u8]) -> Option<Frame<'_>> {
    let rest = frame.strip_prefix(&MAGIC)?;
    let (node, rest) = rest.split_first_chunk::<4>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (id, rest) = rest.split_first_chunk::<8>()?;
    let (offset, rest) = rest.split_first_chunk::<4>()?;
    let (total, data) = rest.split_first_chunk::<4>()?;
    let offset = usize::try_from(u32::from_le_bytes(*offset)).ok()?;
    let total = usize::try_from(u32::from_le_bytes(*total)).ok()?;
    let fits = total <= MAX_PAYLOAD && offset.checked_add(data.len())? <= total;
    let moves_on = !data.is_empty() || total == 0;
    let sent_in = RingId { node: u32::from_le_bytes(*node), seq: u64::from_le_bytes(*seq) };
    (fits && moves_on).then_some(Frame { sent_in, id: u64::from_le_bytes(*id), offset, total, data })
}

#[cfg(test)]
mod tests;
