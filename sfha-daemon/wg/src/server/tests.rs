use super::*;
use crate::uapi::Set;

/// What `buffer` makes of `bytes` that come in pieces of `size`.
async fn requests(bytes: &[u8], size: usize) -> Vec<Result<Request, ParseError>> {
    let (mut client, mut server) = UnixStream::pair().unwrap();
    let bytes = bytes.to_vec();
    let writer = tokio::spawn(async move {
        for piece in bytes.chunks(size) {
            if client.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    let mut buffer = Buffer::default();
    let mut all = Vec::new();
    while let Some(Next::Request(request)) = buffer.next_request(&mut server).await.unwrap() {
        all.push(request);
    }
    drop(server);
    writer.await.unwrap();
    all
}

#[tokio::test]
async fn requests_are_told_apart_however_they_arrive() {
    let bytes = b"get=1\n\nset=1\nlisten_port=7\n\nfoo\n\nget=1\n\n\nget=1\n\nget=1\n";
    for size in [1, 2, 3, 7, 1000] {
        let all = requests(bytes, size).await;
        let port = Set { listen_port: Some(7), ..Set::default() };
        assert_eq!(
            all,
            [
                Ok(Request::Get),
                Ok(Request::Set(port)),
                Err(ParseError::Operation),
                Ok(Request::Get),
                // An empty line alone is a request too, a wrong one.
                Err(ParseError::Operation),
                Ok(Request::Get),
            ],
            "in pieces of {size}"
        );
    }
}

#[tokio::test]
async fn a_large_request_is_read_and_a_larger_one_is_not() {
    let mut request = b"set=1\n".to_vec();
    while request.len() < MAX_REQUEST - 80 {
        request.extend_from_slice(format!("public_key={}\n", "ab".repeat(32)).as_bytes());
    }
    request.push(b'\n');
    assert!(matches!(requests(&request, 1 << 16).await.as_slice(), [Ok(Request::Set(_))]));

    let (mut client, mut server) = UnixStream::pair().unwrap();
    let flood = tokio::spawn(async move { client.write_all(&vec![b'x'; 2 * MAX_REQUEST]).await });
    let mut buffer = Buffer::default();
    let refused = buffer.next_request(&mut server).await.unwrap();
    assert!(matches!(refused, Some(Next::TooLarge)));
    assert!(buffer.bytes.capacity() <= MAX_REQUEST);
    drop(server);
    assert!(flood.await.unwrap().is_err());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("wg0.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let server = Server::bind(directory.path(), "wg0").unwrap();
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let error = Server::bind(directory.path(), "wg0").unwrap_err();
    assert!(matches!(error, ServerError::InUse { .. }), "{error:?}");
    drop(server);
    assert!(!socket.exists());
}

#[tokio::test]
async fn the_directory_is_made_for_root_alone() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("wireguard");
    let _server = Server::bind(&inner, "wg0").unwrap();
    assert_eq!(inner.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_socket_that_was_removed_comes_back_and_one_of_another_stays() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("wg0.sock");
    let mut server = Server::bind(directory.path(), "wg0").unwrap();
    std::fs::remove_file(&socket).unwrap();
    server.restore();
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());

    std::fs::remove_file(&socket).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    server.restore();
    drop(server);
    assert!(socket.exists());
    drop(other);
}
