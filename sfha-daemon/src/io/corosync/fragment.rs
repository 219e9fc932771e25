//! Messages of any size over a transport that takes 1 MiB at once, without losing what the transport guarantees.
//!
//! CPG promises that all members of a configuration deliver the same messages before the next configuration. A message
//! in several frames would break that for a member that joins between two of them: the others complete the message
//! after the join, the newcomer never. So everybody drops every unfinished message when somebody joins, and the sender,
//! who sees by its own dropped half that this happened, starts again. For its messages to stay in order, it sends
//! nothing else until a message of several frames has come back.
//!
//! A frame: `"SF"`, version 1, 0, id (u64), offset (u32), total length (u32), all little endian, then data.

use std::collections::BTreeMap;

use super::Member;

/// Largest payload, in bytes.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// Most payload in one frame, in bytes.
pub(super) const FRAME_PAYLOAD: usize = 32 << 10;

/// Most frames that are sent and have not come back. Corosync would take more, until its own queue is full; then it
/// answers no request of any client, and what others want to say waits behind all of it.
const WINDOW: usize = 8;

const MAGIC: [u8; 4] = [b'S', b'F', 1, 0];
const HEADER_LEN: usize = 20;

/// A frame that no sfha of this version sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of this version")]
pub(super) struct BadFrame;

/// The sending side: at most one message at a time is in here half-sent.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    current: Option<Current>,
    last_id: u64,
    /// Messages of one frame each that were sent and have not come back.
    in_flight: usize,
    /// Frames that were sent and have not come back.
    on_the_way: usize,
}

#[derive(Debug)]
struct Current {
    id: u64,
    payload: Vec<u8>,
    sent: usize,
    /// Whether everything was sent: an empty payload is one frame all the same.
    complete: bool,
}

impl Outgoing {
    /// Whether the next message can be loaded.
    pub(super) fn is_free(&self) -> bool {
        self.current.is_none()
    }

    pub(super) fn load(&mut self, payload: Vec<u8>) {
        self.last_id += 1;
        self.current = Some(Current { id: self.last_id, payload, sent: 0, complete: false });
    }

    /// The frame to send now, if any.
    pub(super) fn frame(&self) -> Option<Vec<u8>> {
        if self.on_the_way >= WINDOW {
            return None;
        }
        let current = self.current.as_ref().filter(|c| !c.complete)?;
        let data = current.payload.get(current.sent..)?;
        let data = data.get(..FRAME_PAYLOAD).unwrap_or(data);
        let mut frame = Vec::with_capacity(HEADER_LEN + data.len());
        frame.extend_from_slice(&MAGIC);
        frame.extend_from_slice(&current.id.to_le_bytes());
        // Both fit: a payload is at most MAX_PAYLOAD long.
        frame.extend_from_slice(&u32::try_from(current.sent).ok()?.to_le_bytes());
        frame.extend_from_slice(&u32::try_from(current.payload.len()).ok()?.to_le_bytes());
        frame.extend_from_slice(data);
        Some(frame)
    }

    /// The frame was taken by Corosync.
    pub(super) fn sent(&mut self) {
        let Some(current) = &mut self.current else { return };
        self.on_the_way += 1;
        current.sent = (current.sent + FRAME_PAYLOAD).min(current.payload.len());
        current.complete = current.sent == current.payload.len();
        if current.complete && current.payload.len() <= FRAME_PAYLOAD {
            self.current = None;
            self.in_flight += 1;
        }
    }

    /// A frame of one's own has come back.
    pub(super) fn came_back(&mut self) {
        self.on_the_way = self.on_the_way.saturating_sub(1);
    }

    /// A message of one's own has come back, whole.
    pub(super) fn delivered(&mut self, id: u64) {
        if self.current.as_ref().is_some_and(|c| c.id == id) {
            self.current = None;
        } else {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    /// The message that was under way was dropped by everybody.
    pub(super) fn restart(&mut self) {
        if let Some(current) = &mut self.current {
            self.last_id += 1;
            *current = Current {
                id: self.last_id,
                payload: std::mem::take(&mut current.payload),
                sent: 0,
                complete: false,
            };
        }
    }

    /// Messages that were loaded and have not come back.
    pub(super) fn undelivered(&self) -> usize {
        self.in_flight + usize::from(self.current.is_some())
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
    /// Takes a frame; gives the message that it completes.
    pub(super) fn frame(&mut self, from: Member, frame: &[u8]) -> Result<Option<Complete>, BadFrame> {
        let (id, offset, total, data) = split(frame).ok_or(BadFrame)?;
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

/// Id, offset, total length and data of a well-formed frame.
fn split(frame: &[u8]) -> Option<(u64, usize, usize, &[u8])> {
    let rest = frame.strip_prefix(&MAGIC)?;
    let (id, rest) = rest.split_first_chunk::<8>()?;
    let (offset, rest) = rest.split_first_chunk::<4>()?;
    let (total, data) = rest.split_first_chunk::<4>()?;
    let offset = usize::try_from(u32::from_le_bytes(*offset)).ok()?;
    let total = usize::try_from(u32::from_le_bytes(*total)).ok()?;
    let fits = total <= MAX_PAYLOAD && offset.checked_add(data.len())? <= total;
    let moves_on = !data.is_empty() || total == 0;
    (fits && moves_on).then_some((u64::from_le_bytes(*id), offset, total, data))
}

#[cfg(test)]
mod tests;
