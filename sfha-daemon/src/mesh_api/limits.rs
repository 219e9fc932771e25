//! What one source may cost the mesh API: so many connections at once, so many in a time, so long each.
//!
//! A connection serves one request (the server closes it), so that counting connections counts requests.
//! Sources are addresses of the mesh: members, and holders of an invite.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};
use tracing::debug;

/// Connections that a source has open at once.
const OPEN: u32 = 4;

/// Connections that a source makes at once after a rest.
const BURST: u32 = 20;

/// Time after which it may make one more.
const REFILL: Duration = Duration::from_millis(200);

/// Sources remembered: nodes and invites are fewer.
const SOURCES: usize = 256;

/// Longest life of a connection: longer than a request is given.
const LIFE: Duration = Duration::from_secs(30);

/// What a source has used.
#[derive(Debug, Clone)]
struct Used {
    open: u32,
    tokens: u32,
    counted: Instant,
}

/// Who has used how much.
#[derive(Debug, Default)]
struct Ledger(BTreeMap<IpAddr, Used>);

impl Ledger {
    fn enter(&mut self, source: IpAddr, now: Instant) -> bool {
        if self.0.len() >= SOURCES {
            self.0.retain(|_, used| used.open > 0 || now - used.counted < REFILL * BURST);
        }
        if self.0.len() >= SOURCES && !self.0.contains_key(&source) {
            return false;
        }
        let used = self.0.entry(source).or_insert(Used { open: 0, tokens: BURST, counted: now });
        let refills = (now - used.counted).as_millis() / REFILL.as_millis();
        if refills > 0 {
            let refills = u32::try_from(refills).unwrap_or(u32::MAX);
            used.tokens = used.tokens.saturating_add(refills).min(BURST);
            used.counted = now;
        }
        if used.open >= OPEN || used.tokens == 0 {
            return false;
        }
        used.open += 1;
        used.tokens -= 1;
        true
    }

    fn leave(&mut self, source: IpAddr) {
        if let Some(used) = self.0.get_mut(&source) {
            used.open = used.open.saturating_sub(1);
        }
    }
}

/// A listener that hangs up on whoever wants too much.
#[derive(Debug)]
pub struct LimitedListener {
    listener: TcpListener,
    ledger: Arc<Mutex<Ledger>>,
    life: Duration,
}

impl LimitedListener {
    /// Limits a listener.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, ledger: Arc::default(), life: LIFE }
    }
}

impl Listener for LimitedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, from) = Listener::accept(&mut self.listener).await;
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            if ledger.enter(from.ip(), Instant::now()) {
                let ledger = Arc::clone(&self.ledger);
                let end = Box::pin(sleep(self.life));
                return (Connection { stream, end, source: from.ip(), ledger }, from);
            }
            debug!(from = %from.ip(), "too many connections: hung up");
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends in time and is then no longer counted.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    source: IpAddr,
    ledger: Arc<Mutex<Ledger>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).leave(self.source);
    }
}

impl Connection {
    fn check_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_end(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_end(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_end(cx)?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn source(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn a_source_has_so_many_connections_at_once_and_costs_the_others_nothing() {
        let (mut ledger, now) = (Ledger::default(), Instant::now());
        for _ in 0..OPEN {
            assert!(ledger.enter(source(1), now));
        }
        assert!(!ledger.enter(source(1), now));
        assert!(ledger.enter(source(2), now));
        ledger.leave(source(1));
        assert!(ledger.enter(source(1), now));
    }

    #[test]
    fn a_source_makes_so_many_connections_in_a_time() {
        let (mut ledger, mut now) = (Ledger::default(), Instant::now());
        let mut visit = |now| {
            let entered = ledger.enter(source(1), now);
            if entered {
                ledger.leave(source(1));
            }
            entered
        };
        assert_eq!((0..100).filter(|_| visit(now)).count(), usize::try_from(BURST).unwrap());
        now += REFILL * 3;
        assert_eq!((0..100).filter(|_| visit(now)).count(), 3);
    }

    #[test]
    fn sources_that_were_not_seen_for_long_are_forgotten() {
        let (mut ledger, mut now) = (Ledger::default(), Instant::now());
        let many = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        for number in 0..SOURCES {
            assert!(ledger.enter(many(number), now));
            if number > 0 {
                ledger.leave(many(number));
            }
        }
        assert!(!ledger.enter(source(1), now));
        now += REFILL * BURST;
        assert!(ledger.enter(source(1), now));
        assert_eq!(ledger.0.len(), 2, "who is connected stays");
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_ends() {
        let mut listener = LimitedListener::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        listener.life = Duration::from_millis(50);
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut connection, _) = listener.accept().await;
        client.write_all(b"G").await.unwrap();
        assert_eq!(connection.read_u8().await.unwrap(), b'G');
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
