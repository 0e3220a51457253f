//! The TLS client that ships, against a server with a certificate of its own authority.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use http::{HeaderMap, Method};
use mass_change_owner_status::config::Config;
use mass_change_owner_status::environment::Environment;
use mass_change_owner_status::http::{
    Connections, HttpClient, HttpRequest, HttpSettings, NoResponse, Origin,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, Stream};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
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

/// A client for which the certificate of this server is that of an authority.
fn trusting(server: &Server) -> Connections {
    let port = server.origin.as_str().rsplit(':').next().unwrap();
    let path = std::env::temp_dir().join(format!("authority-{}-{port}.pem", std::process::id()));
    std::fs::write(&path, &server.certificate).unwrap();
    let connections =
        Connections::new(HttpSettings { cert_file: Some(&path), ..HttpSettings::default() }).unwrap();
    std::fs::remove_file(&path).unwrap();
    connections
}

fn request(origin: &Origin) -> HttpRequest<'_> {
    HttpRequest {
        method: Method::GET,
        origin,
        path: "/".into(),
        headers: HeaderMap::new(),
        body: String::new(),
        timeout: Duration::from_secs(10),
    }
}

/// Idle connections are closed, and another one of a sparse watch costs one round trip less if its handshake resumes.
#[tokio::test]
async fn later_handshakes_of_a_process_resume() {
    let server = server();
    let connections = trusting(&server);
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

#[test]
fn an_unusable_certificate_bundle_is_reported() {
    let missing = std::env::temp_dir().join("no-such-bundle.pem");
    let mut cases = vec![(missing, "cannot be read")];
    for (content, part) in [
        ("no certificate at all", "without a usable certificate"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "cannot be read"),
    ] {
        let path = std::env::temp_dir().join(format!("bundle-{}-{}.pem", std::process::id(), content.len()));
        std::fs::write(&path, content).unwrap();
        cases.push((path, part));
    }
    for (path, part) in cases {
        let error =
            Connections::new(HttpSettings { cert_file: Some(&path), ..HttpSettings::default() }).err();
        let _ended = std::fs::remove_file(&path);
        assert!(error.as_ref().is_some_and(|error| error.contains(part)), "{error:?}");
    }
}

#[tokio::test]
async fn a_host_name_that_cannot_be_resolved_is_named() {
    let connections = Connections::new(HttpSettings::default()).unwrap();
    let error =
        connections.send(request(&Origin::parse_host("www.zohoapis.invalid").unwrap())).await.unwrap_err();
    assert_eq!(error.reason, NoResponse::UnknownHost, "{error}");
    assert!(error.to_string().contains("the host name www.zohoapis.invalid cannot be resolved"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_named_as_the_reason() {
    let server = server();
    let connections = Connections::new(HttpSettings::default()).unwrap();
    let error = connections.send(request(&server.origin)).await.unwrap_err();
    assert_eq!(error.reason, NoResponse::UnknownAuthority, "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_named_as_the_reason() {
    let server = server();
    let connections = trusting(&server);
    let other = Origin::parse(&server.origin.as_str().replace("localhost", "127.0.0.1")).unwrap();
    let error = connections.send(request(&other)).await.unwrap_err();
    assert_eq!(error.reason, NoResponse::InvalidCertificate, "{error}");
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_is_named_as_the_reason() {
    for response in
        ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n\r\n", ""]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = reqwest::Proxy::https(format!("http://{}", listener.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let _request = client.read(&mut [0; 4096]).unwrap();
                client.write_all(response.as_bytes()).unwrap();
            }
        });
        let connections =
            Connections::new(HttpSettings { proxy: Some(proxy), ..HttpSettings::default() }).unwrap();
        let host = Origin::parse_host("www.zohoapis.com").unwrap();
        let error = connections.send(request(&host)).await.unwrap_err();
        assert_eq!(error.reason, NoResponse::Proxy, "{response:?}: {error}");
    }
}

/// Tunnels connections, and reports the first line of each request for one.
fn proxy() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:hunter2@{}", listener.local_addr().unwrap());
    let (report, requests) = channel();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let length = client.read(&mut request).unwrap();
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let host = text.split(' ').nth(1).unwrap_or_default().to_owned();
            report.send(text.lines().next().unwrap_or_default().to_owned()).unwrap();
            let mut server = TcpStream::connect(host).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
            std::thread::spawn(move || std::io::copy(&mut server, &mut client));
        }
    });
    (url, requests)
}

#[tokio::test]
async fn a_proxy_is_used_unless_the_host_is_an_exception() {
    let server = server();
    let (url, requests) = proxy();
    let path = std::env::temp_dir().join(format!("authority-behind-proxy-{}.pem", std::process::id()));
    std::fs::write(&path, &server.certificate).unwrap();
    let tunnel = format!("CONNECT {} HTTP/1.1", server.origin.as_str().trim_start_matches("https://"));
    for (names, no_proxy, used) in [
        (["HTTPS_PROXY", "NO_PROXY"], "169.254.169.254,.internal", true),
        (["https_proxy", "no_proxy"], "", true),
        (["HTTPS_PROXY", "NO_PROXY"], "localhost", false),
        (["https_proxy", "no_proxy"], "*", false),
    ] {
        let [proxy_name, exceptions_name] = names;
        let variables = [("ZOHO_SECRET_ID", "zoho"), (proxy_name, url.as_str()), (exceptions_name, no_proxy)];
        let environment: Environment =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let proxy = Config::new(&environment).unwrap().proxy;
        let connections =
            Connections::new(HttpSettings { cert_file: Some(&path), proxy, ..HttpSettings::default() })
                .unwrap();
        // Also a connection that is opened ahead.
        connections.preconnect(&server.origin).await;
        connections.send(request(&server.origin)).await.unwrap();
        let seen: Vec<String> = requests.try_iter().collect();
        let expected = if used { vec![tunnel.clone()] } else { Vec::new() };
        assert_eq!(seen, expected, "{names:?} {no_proxy:?}");
    }
    std::fs::remove_file(&path).unwrap();
}
