//! CPG (cpg_overview(3)), called directly.
//!
//! rust-corosync's `cpg` cannot ask for the ring at joining (it always passes the flags 0, and without
//! `CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF` a process learns the ring's id only when the ring changes), and the group's
//! frames are of no use without it. It also runs callbacks under a lock of its own and loses their context. The other
//! services have no such trouble and go through rust-corosync.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};

use rust_corosync::CsError;

use super::wait::IpcFd;
use super::{LeaveReason, Member, NodeId, RingId};

const CS_OK: u32 = 1;
const CS_DISPATCH_ONE_NONBLOCKING: u32 = 4;
const CPG_MODEL_V1: u32 = 1;
const CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF: u32 = 1;
const CPG_TYPE_AGREED: u32 = 2;
const CPG_MAX_NAME_LENGTH: usize = 128;

#[repr(C)]
struct CpgName {
    length: u32,
    value: [c_char; CPG_MAX_NAME_LENGTH],
}

#[repr(C)]
struct CpgAddress {
    node: u32,
    pid: u32,
    reason: u32,
}

#[repr(C)]
struct CpgRingId {
    node: u32,
    seq: u64,
}

type DeliverFn = extern "C" fn(u64, *const CpgName, u32, u32, *mut c_void, usize);
type ConfchgFn = extern "C" fn(
    u64,
    *const CpgName,
    *const CpgAddress,
    usize,
    *const CpgAddress,
    usize,
    *const CpgAddress,
    usize,
);
type TotemConfchgFn = extern "C" fn(u64, CpgRingId, u32, *const u32);

#[repr(C)]
struct CpgModelV1Data {
    model: u32,
    deliver: DeliverFn,
    confchg: ConfchgFn,
    totem_confchg: TotemConfchgFn,
    flags: u32,
}

// Signatures as in corosync/cpg.h, the same since Corosync 2; enumerations and `cs_error_t` are unsigned ints.
#[link(name = "cpg")]
unsafe extern "C" {
    fn cpg_model_initialize(
        handle: *mut u64,
        model: u32,
        data: *mut CpgModelV1Data,
        context: *mut c_void,
    ) -> u32;
    fn cpg_finalize(handle: u64) -> u32;
    fn cpg_fd_get(handle: u64, fd: *mut c_int) -> u32;
    fn cpg_dispatch(handle: u64, flags: u32) -> u32;
    fn cpg_local_get(handle: u64, node: *mut u32) -> u32;
    fn cpg_join(handle: u64, group: *const CpgName) -> u32;
    fn cpg_leave(handle: u64, group: *const CpgName) -> u32;
    fn cpg_mcast_joined(handle: u64, guarantee: u32, iovec: *const libc::iovec, count: u32) -> u32;
}

fn check(result: u32) -> Result<(), CsError> {
    match result {
        CS_OK => Ok(()),
        error => Err(CsError::try_from(error).unwrap_or(CsError::CsErrRustCompat)),
    }
}

/// What a callback was called with.
pub(super) enum Callback {
    Deliver { from: Member, frame: Vec<u8> },
    Members { members: Vec<Member>, left: Vec<(Member, LeaveReason)>, joined: Vec<(Member, LeaveReason)> },
    Ring { ring: RingId, members: Vec<NodeId> },
}

thread_local! {
    /// Callbacks run on the thread that dispatches; they put their arguments here and nothing else.
    static CALLBACKS: RefCell<Vec<Callback>> = const { RefCell::new(Vec::new()) };
}

/// A panic in a callback would end the process (it cannot unwind through C), so this cannot panic.
fn push(callback: Callback) {
    let _ = CALLBACKS.try_with(|list| list.try_borrow_mut().map(|mut list| list.push(callback)));
}

extern "C" fn on_deliver(_: u64, _: *const CpgName, node: u32, pid: u32, data: *mut c_void, len: usize) {
    // SAFETY: libcpg passes `len` readable bytes that live until the callback returns.
    let frame = unsafe { slice(data.cast::<u8>(), len) }.to_vec();
    push(Callback::Deliver { from: Member { node, pid }, frame });
}

extern "C" fn on_members(
    _: u64,
    _: *const CpgName,
    members: *const CpgAddress,
    members_len: usize,
    left: *const CpgAddress,
    left_len: usize,
    joined: *const CpgAddress,
    joined_len: usize,
) {
    // SAFETY: libcpg passes three arrays of these lengths that live until the callback returns.
    let (members, left, joined) =
        unsafe { (slice(members, members_len), slice(left, left_len), slice(joined, joined_len)) };
    let member = |a: &CpgAddress| Member { node: a.node, pid: a.pid };
    let changed = |list: &[CpgAddress]| list.iter().map(|a| (member(a), reason(a.reason))).collect();
    let members = members.iter().map(member).collect();
    push(Callback::Members { members, left: changed(left), joined: changed(joined) });
}

extern "C" fn on_ring(_: u64, ring: CpgRingId, len: u32, members: *const u32) {
    // SAFETY: libcpg passes `len` node ids that live until the callback returns.
    let members = unsafe { slice(members, len as usize) }.to_vec();
    push(Callback::Ring { ring: RingId { node: ring.node, seq: ring.seq }, members });
}

/// # Safety
///
/// As for [`std::slice::from_raw_parts`], but that an empty array may be anywhere.
unsafe fn slice<'a, T>(data: *const T, len: usize) -> &'a [T] {
    if data.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(data, len) }
}

/// `cpg_reason_t`.
fn reason(reason: u32) -> LeaveReason {
    match reason {
        1 => LeaveReason::ProcUp,
        2 => LeaveReason::Leave,
        3 => LeaveReason::NodeDown,
        4 => LeaveReason::NodeUp,
        5 => LeaveReason::ProcDown,
        _ => LeaveReason::Undefined,
    }
}

/// A connection to CPG. All its calls have to be made on one thread.
pub(super) struct Cpg {
    handle: u64,
}

impl Cpg {
    pub(super) fn open() -> Result<Self, CsError> {
        let mut handle = 0;
        let mut data = CpgModelV1Data {
            model: CPG_MODEL_V1,
            deliver: on_deliver,
            confchg: on_members,
            totem_confchg: on_ring,
            flags: CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
        };
        // SAFETY: both pointers are valid for the call; libcpg copies the data. No context is used.
        check(unsafe {
            cpg_model_initialize(&raw mut handle, CPG_MODEL_V1, &raw mut data, std::ptr::null_mut())
        })?;
        Ok(Self { handle })
    }

    /// Valid as long as this connection.
    pub(super) fn fd(&self) -> Result<IpcFd, CsError> {
        let mut fd = 0;
        // SAFETY: the handle is open, the pointer valid.
        check(unsafe { cpg_fd_get(self.handle, &raw mut fd) })?;
        Ok(IpcFd(fd))
    }

    pub(super) fn local_node(&self) -> Result<NodeId, CsError> {
        let mut node = 0;
        // SAFETY: the handle is open, the pointer valid.
        check(unsafe { cpg_local_get(self.handle, &raw mut node) })?;
        Ok(node)
    }

    pub(super) fn join(&self, group: &str) -> Result<(), CsError> {
        let name = name(group)?;
        // SAFETY: the handle is open, the name is copied.
        check(unsafe { cpg_join(self.handle, &raw const name) })
    }

    pub(super) fn leave(&self, group: &str) -> Result<(), CsError> {
        let name = name(group)?;
        // SAFETY: the handle is open, the name is copied.
        check(unsafe { cpg_leave(self.handle, &raw const name) })
    }

    /// Agreed order. At most 1 MiB: more would be cut up by libcpg, which then sleeps in between.
    pub(super) fn multicast(&self, frame: &[u8]) -> Result<(), CsError> {
        let iovec = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
        // SAFETY: the handle is open; the frame is only read, and copied before the call returns.
        check(unsafe { cpg_mcast_joined(self.handle, CPG_TYPE_AGREED, &raw const iovec, 1) })
    }

    /// Takes one callback, if there is one ([`CsError::CsErrTryAgain`] if not).
    pub(super) fn dispatch(&self) -> Result<Vec<Callback>, CsError> {
        // SAFETY: the handle is open; the callbacks are called on this thread before the call returns.
        check(unsafe { cpg_dispatch(self.handle, CS_DISPATCH_ONE_NONBLOCKING) })?;
        Ok(CALLBACKS.take())
    }
}

impl Drop for Cpg {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody can use it afterwards. An error means that Corosync has gone.
        let _ = unsafe { cpg_finalize(self.handle) };
    }
}

fn name(group: &str) -> Result<CpgName, CsError> {
    let mut name = CpgName { length: 0, value: [0; CPG_MAX_NAME_LENGTH] };
    // One byte stays 0: others print it as a C string.
    if group.is_empty() || group.len() >= CPG_MAX_NAME_LENGTH {
        return Err(CsError::CsErrInvalidParam);
    }
    name.length = u32::try_from(group.len()).map_err(|_| CsError::CsErrInvalidParam)?;
    for (to, from) in name.value.iter_mut().zip(group.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    Ok(name)
}
