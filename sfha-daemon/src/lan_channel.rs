//! An encrypted conversation over TCP between two who know each other's public key: on a LAN what the tunnel
//! is in a mesh.
//!
//! Noise_IK_25519_ChaChaPoly_BLAKE2s (noiseprotocol.org, revision 34): the handshake that WireGuard has, with the
//! same kind of keys. The one who asks knows the key of the one who answers; the one who answers learns the key of
//! the other, which can be nobody else's. Each message of Noise is preceded by its length in two bytes, and each of
//! ours is cut into such messages, of which the first begins with the whole length in four bytes.

use std::io;

use snow::{Builder, HandshakeState, TransportState};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::io::wireguard::{PrivateKey, PublicKey};

const PATTERN: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";

/// Both ends must mean the same protocol.
const PROLOGUE: &[u8] = b"sfha lan 1";

/// Longest message of Noise, in bytes (§ 3).
const LONGEST: usize = 65535;

/// What encryption adds to each.
const TAG: usize = 16;

/// Longest message of a handshake that has nothing to say: ephemeral key, static key and two tags.
const HANDSHAKE: usize = 32 + 32 + TAG + TAG;

/// One conversation.
pub struct Channel<S> {
    stream: S,
    noise: TransportState,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    /// Begins it, with the owner of that key.
    ///
    /// # Errors
    /// That the other end is somebody else, does not want to, or is gone.
    pub async fn ask(mut stream: S, own: &PrivateKey, other: &PublicKey) -> io::Result<Self> {
        let builder = builder(own)?.remote_public_key(&other.0).map_err(invalid)?;
        let mut noise = builder.build_initiator().map_err(invalid)?;
        say(&mut stream, &mut noise).await?;
        hear(&mut stream, &mut noise).await?;
        Ok(Self { stream, noise: noise.into_transport_mode().map_err(invalid)? })
    }

    /// Answers somebody who knows this node's public key, as tokens and nodes tell it; returns whose key asks.
    ///
    /// # Errors
    /// That the other end does not know it, or is gone.
    pub async fn answer(mut stream: S, own: &PrivateKey) -> io::Result<(Self, PublicKey)> {
        let mut noise = builder(own)?.build_responder().map_err(invalid)?;
        hear(&mut stream, &mut noise).await?;
        let key = noise.get_remote_static().and_then(|key| key.try_into().ok()).map(PublicKey);
        let key = key.ok_or(io::ErrorKind::InvalidData)?;
        say(&mut stream, &mut noise).await?;
        Ok((Self { stream, noise: noise.into_transport_mode().map_err(invalid)? }, key))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// As the stream.
    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u32::try_from(message.len()).map_err(invalid)?;
        let mut whole = Zeroizing::new(Vec::with_capacity(4 + message.len()));
        whole.extend(length.to_be_bytes());
        whole.extend(message);
        let mut encrypted = vec![0; LONGEST];
        for part in whole.chunks(LONGEST - TAG) {
            let length = self.noise.write_message(part, &mut encrypted).map_err(invalid)?;
            write(&mut self.stream, &encrypted[..length]).await?;
        }
        self.stream.flush().await
    }

    /// Receives a message of at most `limit` bytes.
    ///
    /// # Errors
    /// `InvalidData` for what is longer, or was not sent by the other end; else as the stream.
    pub async fn receive(&mut self, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut message = Zeroizing::new(Vec::new());
        let mut part = Zeroizing::new(vec![0; LONGEST]);
        let mut expected = None;
        while expected.is_none_or(|expected| message.len() < expected) {
            let encrypted = read(&mut self.stream, LONGEST).await?;
            let length = self.noise.read_message(&encrypted, &mut part).map_err(invalid)?;
            let mut text = &part[..length];
            if expected.is_none() {
                let (head, rest) = text.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
                let length = usize::try_from(u32::from_be_bytes(*head)).map_err(invalid)?;
                if length > limit {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                // Never moved while it grows: no copy of a secret is left behind.
                message.reserve_exact(length);
                (expected, text) = (Some(length), rest);
            }
            if text.len() > expected.unwrap_or_default() - message.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            message.extend(text);
        }
        Ok(message)
    }
}

fn builder(own: &PrivateKey) -> io::Result<Builder<'_>> {
    let pattern = PATTERN.parse().map_err(invalid)?;
    Builder::new(pattern).prologue(PROLOGUE).and_then(|b| b.local_private_key(own.bytes())).map_err(invalid)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), noise: &mut HandshakeState) -> io::Result<()> {
    let mut message = [0; HANDSHAKE];
    let length = noise.write_message(&[], &mut message).map_err(invalid)?;
    write(stream, &message[..length]).await?;
    stream.flush().await
}

async fn hear(stream: &mut (impl AsyncRead + Unpin), noise: &mut HandshakeState) -> io::Result<()> {
    let message = read(stream, HANDSHAKE).await?;
    noise.read_message(&message, &mut [0; HANDSHAKE]).map_err(invalid)?;
    Ok(())
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    stream.write_u16(u16::try_from(message.len()).map_err(invalid)?).await?;
    stream.write_all(message).await
}

async fn read(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if length > limit {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::generate().unwrap()
    }

    type End = Channel<DuplexStream>;

    async fn between(one: &PrivateKey, other: &PrivateKey, known: &PublicKey) -> io::Result<(End, End)> {
        let (left, right) = duplex(1 << 20);
        let (left, right) = tokio::join!(Channel::ask(left, one, known), Channel::answer(right, other));
        let (right, key) = right?;
        assert_eq!(key, one.public());
        Ok((left?, right))
    }

    #[tokio::test]
    async fn messages_of_any_length_arrive_whole() {
        let (one, other) = (key(), key());
        let (mut left, mut right) = between(&one, &other, &other.public()).await.unwrap();
        for length in [0, 1, LONGEST - TAG - 4, LONGEST - TAG - 3, 200_000] {
            let message: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            left.send(&message).await.unwrap();
            assert_eq!(*right.receive(200_000).await.unwrap(), message, "{length}");
            right.send(b"yes").await.unwrap();
            assert_eq!(*left.receive(3).await.unwrap(), b"yes");
        }
        left.send(&[0; 10]).await.unwrap();
        assert_eq!(right.receive(9).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn nobody_is_taken_for_somebody_else() {
        let (one, other, third) = (key(), key(), key());
        assert!(between(&one, &other, &third.public()).await.is_err(), "another one answered");
    }

    #[tokio::test]
    async fn what_was_changed_on_the_way_is_not_read() {
        let (one, other) = (key(), key());
        let (mut left, mut right) = between(&one, &other, &other.public()).await.unwrap();
        let mut encrypted = vec![0; LONGEST];
        let length = left.noise.write_message(b"\0\0\0\x02no", &mut encrypted).unwrap();
        encrypted[5] ^= 1;
        write(&mut left.stream, &encrypted[..length]).await.unwrap();
        assert_eq!(right.receive(10).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
