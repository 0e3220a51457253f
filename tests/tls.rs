//! The TLS client that ships, against a server with a certificate of its own authority.

#![allow(clippy::unwrap_used, reason = "tests")]

use http::{HeaderMap, Method};
use mass_change_owner_status::http::{Connections, HttpClient, Origin, Reason, Request, Settings};
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, Stream};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

struct Server {
    origin: Origin,
    /// Its certificate, as PEM.
    certificate: String,
    /// How each connection was opened that carried a request.
    handshakes: Receiver<HandshakeKind>,
}

/// Serves one request on each connection.
fn server() -> Server {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin =
        Origin::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
    let (report, handshakes) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            let mut tls = Stream::new(&mut connection, &mut stream);
            if matches!(tls.read(&mut [0; 4096]), Ok(1..)) {
                report.send(tls.conn.handshake_kind().unwrap()).unwrap();
                tls.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
                    .unwrap();
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            }
        }
    });
    Server { origin, certificate: certified.cert.pem(), handshakes }
}

fn request(origin: &Origin) -> Request<'_> {
    Request {
        method: Method::GET,
        origin,
        path: "/".into(),
        headers: HeaderMap::new(),
        body: String::new(),
        timeout: Duration::from_secs(10),
        body_limit: 1024,
    }
}

/// Idle connections are closed, and another one of a sparse watch costs one round trip less if its handshake resumes.
#[tokio::test]
async fn later_handshakes_of_a_process_resume() {
    let server = server();
    let path = std::env::temp_dir().join(format!("authority-{}.pem", std::process::id()));
    std::fs::write(&path, &server.certificate).unwrap();
    let connections = Connections::new(Settings { cert_file: Some(&path), ..Settings::default() }).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        connections.send(request(&server.origin)).await.unwrap();
        kinds.push(server.handshakes.recv().unwrap());
    }
    // A connection that is opened ahead comes from another client, with the same session cache.
    connections.preconnect(&server.origin).await;
    connections.send(request(&server.origin)).await.unwrap();
    kinds.push(server.handshakes.recv().unwrap());
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed]);
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_named_as_the_reason() {
    let server = server();
    let connections = Connections::new(Settings::default()).unwrap();
    let error = connections.send(request(&server.origin)).await.unwrap_err();
    assert_eq!(error.reason, Reason::UnknownAuthority, "{error}");
}
