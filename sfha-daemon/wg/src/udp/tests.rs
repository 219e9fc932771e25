use super::*;

async fn receiver() -> tokio::net::UdpSocket {
    tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

fn params(port: u16) -> UdpTransportFactoryParams {
    UdpTransportFactoryParams { addr: None, port, fwmark: None }
}

#[tokio::test]
async fn the_socket_stays_while_the_port_does() {
    let mut sockets = Sockets::default();
    let port = sockets.prepare(0).await.unwrap();
    assert_eq!(sockets.prepare(port).await.unwrap(), port);
    let (first, _receiver) = sockets.bind(&params(port)).await.unwrap();
    // As at a key change: asked for again while the first one is in use.
    let (second, _other_receiver) = sockets.bind(&params(port)).await.unwrap();
    let ports = [&first, &second].map(|sender| sender.local_addr().unwrap().unwrap().port());
    assert_eq!(ports, [port, port]);

    let other = sockets.prepare(0).await.unwrap();
    assert_ne!(other, port);
    let (third, _third_receiver) = sockets.bind(&params(other)).await.unwrap();
    assert_eq!(third.local_addr().unwrap().unwrap().port(), other);
}

#[tokio::test]
async fn a_busy_port_is_refused_and_the_socket_stays() {
    let somebody = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let busy = somebody.local_addr().unwrap().port();
    let sockets = Sockets::default();
    let port = sockets.prepare(0).await.unwrap();
    let started = Instant::now();
    let error = sockets.prepare(busy).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(started.elapsed() >= BIND_PATIENCE);
    assert_eq!(sockets.port(), Some(port));
}

#[tokio::test]
async fn a_port_that_becomes_free_in_time_is_taken() {
    let somebody = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = somebody.local_addr().unwrap().port();
    tokio::spawn(async move {
        sleep(BIND_PATIENCE / 4).await;
        drop(somebody);
    });
    assert_eq!(Sockets::default().prepare(port).await.unwrap(), port);
}

#[tokio::test]
async fn a_peer_that_cannot_be_reached_costs_the_others_nothing() {
    let near = receiver().await;
    let near_address = near.local_addr().unwrap();
    // Loopback does not lead to other addresses: EINVAL or ENETUNREACH, at the first datagram of the batch.
    let far = SocketAddr::from(([255, 255, 255, 255], 9));
    let (sender, _receiver) = Sockets::default().bind(&params(0)).await.unwrap();
    let pool = PacketBufPool::<4096>::new(4);
    let packet = |text: &[u8]| {
        let mut packet = pool.get();
        packet.truncate(text.len());
        packet.copy_from_slice(text);
        packet
    };
    let mut batch =
        vec![(packet(b"far"), far), (packet(b"one"), near_address), (packet(b"two"), near_address)];
    sender.send_many_to(&mut Default::default(), &mut batch).await.unwrap();
    assert!(batch.is_empty());
    let mut buffer = [0; 8];
    for text in [b"one", b"two"] {
        let received = tokio::time::timeout(Duration::from_secs(5), near.recv(&mut buffer)).await;
        let length = received.expect("the datagram").unwrap();
        assert_eq!(&buffer[..length], text);
    }
}
