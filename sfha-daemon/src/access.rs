//! Who may use the socket: root may do everything, whoever can open it may look, and `access:` of `config.yml`
//! says otherwise.
//!
//! What counts are the numbers that the kernel has kept since the caller connected (unix(7), `SO_PEERCRED` and
//! `SO_PEERGROUPS`): nobody can lie about them, and no name is looked up while somebody waits.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd as _};

use sfha_config::local::{Access, Who};
use sfha_proto::message::method;
use sfha_proto::{ErrorCode, Failure};
use tracing::warn;

/// Groups of a process beyond the first (`NGROUPS_MAX`); more are not looked at.
const MAX_GROUPS: usize = 65_536;

/// Groups for which there is room at first.
const USUAL_GROUPS: usize = 64;

/// asm-generic/socket.h
const SO_PEERGROUPS: libc::c_int = 59;

/// Methods that change nothing.
const LOOKS: [&str; 7] = [
    method::STATUS,
    method::SUBSCRIBE,
    method::MESH_STATUS,
    method::HISTORY,
    method::STONITH_STATUS,
    method::STONITH_HISTORY,
    method::SIMULATE,
];

/// What `access:` says, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `None`: whoever can open the socket.
    read: Option<Ids>,
    write: Ids,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ids {
    users: BTreeSet<u32>,
    groups: BTreeSet<u32>,
}

impl Ids {
    /// Looks the names up, which may take long.
    fn resolve(people: &[Who]) -> Self {
        let mut ids = Self::default();
        for who in people {
            let (name, id) = match who {
                Who::User(name) => {
                    let user = nix::unistd::User::from_name(name).ok().flatten();
                    (name, user.map(|user| ids.users.insert(user.uid.as_raw())))
                }
                Who::Group(name) => {
                    let group = nix::unistd::Group::from_name(name).ok().flatten();
                    (name, group.map(|group| ids.groups.insert(group.gid.as_raw())))
                }
            };
            if id.is_none() {
                warn!(name, "access: this system has no such user or group");
            }
        }
        ids
    }

    fn has(&self, caller: &Caller) -> bool {
        self.users.contains(&caller.uid) || caller.groups.iter().any(|group| self.groups.contains(group))
    }
}

impl Rules {
    /// Root alone.
    #[must_use]
    pub fn closed() -> Self {
        Self { read: Some(Ids::default()), write: Ids::default() }
    }

    /// Looks names up, which blocks.
    #[must_use]
    pub fn resolve(access: &Access) -> Self {
        Self { read: access.read.as_deref().map(Ids::resolve), write: Ids::resolve(&access.write) }
    }

    /// Whether somebody may use a method.
    ///
    /// # Errors
    /// `not-permitted` with the caller's name, where that is on this machine itself, or number.
    pub fn check(&self, caller: &Caller, name: &str) -> Result<(), Failure> {
        if caller.uid == 0 || self.write.has(caller) {
            return Ok(());
        }
        let looks = LOOKS.contains(&name);
        if looks && self.read.as_ref().is_none_or(|read| read.has(caller)) {
            return Ok(());
        }
        let refused = Failure::new(ErrorCode::NotPermitted).with("user", user_name(caller.uid));
        Err(refused.with("wanted", if looks { "read" } else { "write" }))
    }
}

/// From `/etc/passwd` alone: other sources of names may take long to answer.
fn user_name(uid: u32) -> String {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| uid.to_string())
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub uid: u32,
    /// The group and the further groups.
    pub groups: Vec<u32>,
}

impl Caller {
    /// Asks the kernel.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn of(stream: &tokio::net::UnixStream) -> std::io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let mut groups = vec![credentials.gid()];
        match peer_groups(stream) {
            Ok(others) => groups.extend(others),
            // Before Linux 4.13.
            Err(error) => warn!(%error, "the groups of a caller cannot be known"),
        }
        Ok(Self { uid: credentials.uid(), groups })
    }
}

fn peer_groups(socket: impl AsFd) -> std::io::Result<Vec<u32>> {
    let fd = socket.as_fd().as_raw_fd();
    let mut groups: Vec<libc::gid_t> = vec![0; USUAL_GROUPS];
    loop {
        let room = std::mem::size_of_val(groups.as_slice());
        let mut length = libc::socklen_t::try_from(room).unwrap_or(libc::socklen_t::MAX);
        // SAFETY: the kernel writes at most `length` bytes to memory that is that long, and numbers have no
        // invalid values.
        let done = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, SO_PEERGROUPS, groups.as_mut_ptr().cast(), &raw mut length)
        };
        let found = length as usize / size_of::<libc::gid_t>();
        if done == 0 {
            groups.truncate(found);
            return Ok(groups);
        }
        let error = std::io::Error::last_os_error();
        // It says how much room it wants.
        if error.raw_os_error() != Some(libc::ERANGE) || found <= groups.len() || found > MAX_GROUPS {
            return Err(error);
        }
        groups.resize(found, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(uid: u32, groups: &[u32]) -> Caller {
        Caller { uid, groups: groups.to_vec() }
    }

    fn ids(users: &[u32], groups: &[u32]) -> Ids {
        Ids { users: users.iter().copied().collect(), groups: groups.iter().copied().collect() }
    }

    fn may(rules: &Rules, caller: &Caller) -> (bool, bool) {
        (rules.check(caller, method::STATUS).is_ok(), rules.check(caller, method::FAILOVER).is_ok())
    }

    #[test]
    fn root_may_everything_and_who_can_open_the_socket_may_look() {
        let rules = Rules::resolve(&Access::default());
        assert_eq!(may(&rules, &caller(0, &[0])), (true, true));
        assert_eq!(may(&rules, &caller(1000, &[1000])), (true, false));
        assert_eq!(may(&Rules::closed(), &caller(1000, &[1000])), (false, false));
        assert_eq!(may(&Rules::closed(), &caller(0, &[])), (true, true));
    }

    #[test]
    fn users_and_members_of_groups_may_what_is_said_and_who_may_change_may_look() {
        let rules = Rules { read: Some(ids(&[1000], &[50])), write: ids(&[1001], &[60]) };
        assert_eq!(may(&rules, &caller(1000, &[1])), (true, false));
        assert_eq!(may(&rules, &caller(7, &[1, 50])), (true, false));
        assert_eq!(may(&rules, &caller(1001, &[1])), (true, true));
        assert_eq!(may(&rules, &caller(7, &[1, 60])), (true, true));
        assert_eq!(may(&rules, &caller(7, &[1, 51])), (false, false));
        let refused = rules.check(&caller(4_000_000, &[]), method::FAILOVER).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotPermitted);
        assert_eq!(
            (&refused.details["user"], &refused.details["wanted"]),
            (&"4000000".into(), &"write".into())
        );
        // A method that nobody has heard of changes things until it is said that it does not.
        assert!(rules.check(&caller(1000, &[]), "from.the.future").is_err());
    }

    #[test]
    fn names_are_looked_up_and_unknown_ones_let_nobody_in() {
        let access = Access {
            read: Some(vec![Who::Group("root".into()), Who::User("no-such-user".into())]),
            write: vec![Who::User("root".into())],
        };
        assert_eq!(Rules::resolve(&access), Rules { read: Some(ids(&[], &[0])), write: ids(&[0], &[]) });
        assert_eq!(user_name(0), "root");
    }

    #[tokio::test]
    async fn the_kernel_says_who_called() {
        let (one, _other) = tokio::net::UnixStream::pair().unwrap();
        let caller = Caller::of(&one).unwrap();
        assert_eq!(caller.uid, nix::unistd::geteuid().as_raw());
        let own: BTreeSet<u32> =
            nix::unistd::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
        let seen: BTreeSet<u32> = caller.groups.iter().copied().collect();
        assert!(seen.contains(&nix::unistd::getegid().as_raw()));
        assert!(own.is_subset(&seen), "{own:?} {seen:?}");
    }
}
