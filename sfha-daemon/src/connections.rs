//! How many connections each user of the socket has: nobody's use up another's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

/// Connections of one user at once.
pub const PER_USER: usize = 64;

/// Connections at once of all users but root, who can always come in to look after it.
const OF_OTHERS: usize = 256;

/// Who is connected.
#[derive(Debug, Default)]
pub struct Connections {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the user's number; only who has any.
    open: BTreeMap<u32, usize>,
    /// It was said that somebody has too many, and nobody has gone since.
    told: bool,
}

/// One connection that counts until this is dropped.
#[derive(Debug)]
pub struct Connected {
    all: Arc<Connections>,
    uid: u32,
}

impl Connections {
    /// A place for one more connection of that user, if there is one.
    pub fn admit(self: &Arc<Self>, uid: u32) -> Option<Connected> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let own = inner.open.get(&uid).copied().unwrap_or_default();
        let others: usize = inner.open.iter().filter(|(uid, _)| **uid != 0).map(|(_, open)| open).sum();
        if own >= PER_USER || (uid != 0 && others >= OF_OTHERS) {
            if !std::mem::replace(&mut inner.told, true) {
                warn!(uid, open = own, "too many connections to the socket: more are refused");
            }
            return None;
        }
        inner.open.insert(uid, own + 1);
        Some(Connected { all: Arc::clone(self), uid })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut inner = self.all.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.told = false;
        if let Some(open) = inner.open.get_mut(&self.uid) {
            *open -= 1;
            if *open == 0 {
                inner.open.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_user_has_too_many_of_nobody_else_lacks() {
        let all = Arc::new(Connections::default());
        let mut open: Vec<Connected> = (0..PER_USER).map(|_| all.admit(1000).unwrap()).collect();
        assert!(all.admit(1000).is_none());
        assert!(all.admit(1001).is_some() && all.admit(0).is_some());
        open.pop();
        assert!(all.admit(1000).is_some(), "a place that was given back is free");
    }

    #[test]
    fn however_many_users_there_are_root_comes_in() {
        let all = Arc::new(Connections::default());
        let open: Vec<Connected> = (1..1000).filter_map(|uid| all.admit(uid)).collect();
        assert_eq!(open.len(), OF_OTHERS);
        assert!(all.admit(0).is_some());
        drop(open);
        assert!(all.inner.lock().unwrap().open.is_empty(), "nothing is kept of users who are gone");
    }
}
