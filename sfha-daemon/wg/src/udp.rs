//! The UDP socket under the device.
//!
//! gotatun asks for a new socket whenever the private key changes, and asks before it has closed the old one:
//! measured, 30 to 50 % of key changes then left the device without any socket. Here the socket outlives the
//! change: [`Sockets`] keeps it and hands out the same one again while the port stays the same. A new port is
//! bound by [`Sockets::prepare`] *before* the device hears of it, so that a busy port changes nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gotatun::packet::{Packet, PacketBufPool};
use gotatun::udp::socket::{UdpSocket, UdpSocketFactory};
use gotatun::udp::{UdpRecv, UdpSend, UdpTransportFactory, UdpTransportFactoryParams};
use tokio::time::{Instant, sleep};

/// How long a port that is busy may still become free: a predecessor that is being stopped needs some
/// milliseconds to close its socket.
const BIND_PATIENCE: Duration = Duration::from_millis(500);
const BIND_INTERVAL: Duration = Duration::from_millis(10);

/// Asked for as `SO_RCVBUF`; the kernel grants at most `net.core.rmem_max`.
const RECEIVE_BUFFER: usize = 1 << 20;

/// After a failed receive: long enough not to spin, short enough not to be noticed.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// Keeps the open socket; clones share it.
#[derive(Clone, Default)]
pub struct Sockets(Arc<Mutex<Option<Bound>>>);

struct Bound {
    socket: UdpSocket,
    port: u16,
}

impl Sockets {
    /// Opens a socket on `port` (0: any) and keeps it for the device's next request; returns its port.
    ///
    /// # Errors
    /// As bind(2), `EADDRINUSE` above all. The socket that was there before stays.
    pub async fn prepare(&self, port: u16) -> io::Result<u16> {
        if port != 0 && self.port() == Some(port) {
            return Ok(port);
        }
        let bound = bind(port).await?;
        let port = bound.port;
        *self.slot() = Some(bound);
        Ok(port)
    }

    /// The port of the open socket.
    pub fn port(&self) -> Option<u16> {
        self.slot().as_ref().map(|bound| bound.port)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Bound>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn bind(port: u16) -> io::Result<Bound> {
    let deadline = Instant::now() + BIND_PATIENCE;
    let mut factory = UdpSocketFactory { recv_buffer_size: Some(RECEIVE_BUFFER), send_buffer_size: None };
    let params = UdpTransportFactoryParams { addr: None, port, fwmark: None };
    loop {
        match factory.bind(&params).await {
            Ok((socket, _)) => {
                let port = socket.local_addr()?.port();
                return Ok(Bound { socket, port });
            }
            Err(error) if may_become_free(&error) && Instant::now() < deadline => sleep(BIND_INTERVAL).await,
            Err(error) => return Err(error),
        }
    }
}

/// `EINVAL` is what a dual-stack bind answers while an IPv4 socket is still being closed.
fn may_become_free(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::InvalidInput)
}

impl UdpTransportFactory for Sockets {
    type Send = Sender;
    type Recv = Receiver;

    async fn bind(&mut self, params: &UdpTransportFactoryParams) -> io::Result<(Sender, Receiver)> {
        let kept = self
            .slot()
            .as_ref()
            .filter(|bound| [0, bound.port].contains(&params.port))
            .map(|bound| bound.socket.clone());
        let socket = match kept {
            Some(socket) => socket,
            None => {
                let bound = bind(params.port).await?;
                let socket = bound.socket.clone();
                *self.slot() = Some(bound);
                socket
            }
        };
        socket.set_fwmark(params.fwmark.unwrap_or(0))?;
        Ok((Sender(socket.clone()), Receiver(socket)))
    }
}

/// The sending half.
#[derive(Clone)]
pub struct Sender(UdpSocket);

impl UdpSend for Sender {
    type SendManyBuf = <UdpSocket as UdpSend>::SendManyBuf;

    async fn send_to(&self, packet: Packet, destination: SocketAddr) -> io::Result<()> {
        UdpSend::send_to(&self.0, packet, destination).await
    }

    fn max_number_of_packets_to_send(&self) -> usize {
        self.0.max_number_of_packets_to_send()
    }

    /// One batch holds datagrams to several peers, and the first that fails (`ENETUNREACH`, `EPERM` from a
    /// firewall) would cost all that follow. So each is then tried alone; what had gone out already is sent
    /// twice, and the peer drops the repetition.
    async fn send_many_to(
        &self,
        buffer: &mut Self::SendManyBuf,
        packets: &mut Vec<(Packet, SocketAddr)>,
    ) -> io::Result<()> {
        let Err(error) = self.0.send_many_to(buffer, packets).await else { return Ok(()) };
        tracing::trace!(%error, "batch failed, sending one by one");
        for (packet, destination) in packets.drain(..) {
            let _ = UdpSend::send_to(&self.0, packet, destination).await;
        }
        Ok(())
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.0.local_addr().map(Some)
    }

    fn set_fwmark(&self, mark: u32) -> io::Result<()> {
        self.0.set_fwmark(mark)
    }
}

/// The receiving half. It never reports an error, because the device would stop listening for good.
pub struct Receiver(UdpSocket);

impl UdpRecv for Receiver {
    type RecvManyBuf = <UdpSocket as UdpRecv>::RecvManyBuf;

    async fn recv_from(&mut self, pool: &mut PacketBufPool) -> io::Result<(Packet, SocketAddr)> {
        loop {
            match self.0.recv_from(pool).await {
                Ok(received) => return Ok(received),
                Err(error) => pause(&error).await,
            }
        }
    }

    async fn recv_many_from(
        &mut self,
        buffer: &mut Self::RecvManyBuf,
        pool: &mut PacketBufPool,
        packets: &mut Vec<(Packet, SocketAddr)>,
    ) -> io::Result<()> {
        loop {
            match self.0.recv_many_from(buffer, pool, packets).await {
                Ok(()) => return Ok(()),
                Err(error) => pause(&error).await,
            }
        }
    }

    fn enable_udp_gro(&self) -> io::Result<()> {
        self.0.enable_udp_gro()
    }
}

async fn pause(error: &io::Error) {
    tracing::debug!(%error, "receive failed");
    sleep(RECEIVE_PAUSE).await;
}

#[cfg(test)]
mod tests;
