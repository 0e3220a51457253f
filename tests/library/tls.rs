//! The TLS client that ships, against a server with a certificate of its own authority.

use http::{HeaderMap, Method};
use mass_change_owner_status::config::Config;
use mass_change_owner_status::http::{
    Connections, HttpClient, HttpRequest, HttpResponse, NoResponse, Origin, TransportError,
};
use reqwest::Proxy;
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, Stream};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    let origin = Origin::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
    let (report, handshakes) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            let mut tls = Stream::new(&mut connection, &mut stream);
            if matches!(tls.read(&mut [0; 4096]), Ok(1..)) {
                report.send(tls.conn.handshake_kind().unwrap()).unwrap();
                tls.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}").unwrap();
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            }
        }
    });
    Server { origin, certificate: certified.cert.pem(), handshakes }
}

/// A client with these variables for which these are the certificates of authorities, or what is wrong with them.
fn trusting(pem: &str, variables: &[(&str, &str)]) -> Result<Connections, String> {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let name = format!("authority-{}-{}.pem", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, pem).unwrap();
    let own = [("ZOHO_SECRET_ID", "zoho"), ("SSL_CERT_FILE", path.to_str().unwrap())];
    let config = Config::new(&own.iter().chain(variables).copied().collect());
    std::fs::remove_file(&path).unwrap();
    config.map(|config| config.connections).map_err(|problems| problems.join("; "))
}

async fn send(connections: &Connections, origin: &Origin) -> Result<HttpResponse, TransportError> {
    let (method, path, timeout) = (Method::GET, "/".into(), Duration::from_secs(10));
    let request = HttpRequest { method, origin, path, headers: HeaderMap::new(), body: String::new(), timeout };
    connections.send(request).await
}

/// Idle connections are closed, and another one of a sparse watch costs one round trip less if its handshake resumes.
#[tokio::test]
async fn later_handshakes_of_a_process_resume() {
    let server = server();
    let connections = trusting(&server.certificate, &[]).unwrap();
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        send(&connections, &server.origin).await.unwrap();
        assert_eq!(server.handshakes.recv().unwrap(), expected);
        // A connection that is opened ahead comes from another client, with the same session cache.
        connections.preconnect(&server.origin).await;
    }
}

#[test]
fn an_unusable_certificate_bundle_is_reported() {
    let missing = [("SSL_CERT_FILE", "/no/such/bundle.pem")];
    for (connections, part) in [
        (trusting("", &missing), "cannot be read"),
        (trusting("no certificate at all", &[]), "without a usable certificate"),
        (trusting("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", &[]), "cannot be read"),
    ] {
        let error = connections.err();
        assert!(error.as_ref().is_some_and(|error| error.contains(part)), "{error:?}");
    }
}

#[tokio::test]
async fn what_prevents_a_connection_is_named() {
    let server = server();
    let own = Connections::new(None, None).unwrap();
    let trusting = trusting(&server.certificate, &[]).unwrap();
    let unknown = Origin::parse_host("www.zohoapis.invalid").unwrap();
    let other = Origin::parse(&server.origin.as_str().replace("localhost", "127.0.0.1")).unwrap();
    for (connections, origin, reason, part) in [
        (&own, &unknown, NoResponse::UnknownHost, "host name www.zohoapis.invalid cannot be resolved"),
        (&own, &server.origin, NoResponse::Certificate, "UnknownIssuer"),
        (&trusting, &other, NoResponse::Certificate, "certificate"),
    ] {
        let error = send(connections, origin).await.unwrap_err();
        assert!(error.reason == reason && error.to_string().contains(part), "{error:?}");
    }
    for response in ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n\r\n", ""] {
        let (url, _requests) = proxy(Some(response));
        let proxy = Some(Proxy::https(url).unwrap());
        let connections = Connections::new(None, proxy).unwrap();
        let error = send(&connections, &Origin::parse_host("www.zohoapis.com").unwrap()).await.unwrap_err();
        assert_eq!(error.reason, NoResponse::Proxy, "{response:?}: {error}");
    }
}

/// Responds with this, or tunnels connections; reports the first line of each request for one.
fn proxy(response: Option<&'static str>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:hunter2@{}", listener.local_addr().unwrap());
    let (report, requests) = channel();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let length = client.read(&mut request).unwrap();
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            if let Some(response) = response {
                client.write_all(response.as_bytes()).unwrap();
                continue;
            }
            report.send(text.lines().next().unwrap_or_default().to_owned()).unwrap();
            let mut server = TcpStream::connect(text.split(' ').nth(1).unwrap()).unwrap();
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
    let (url, requests) = proxy(None);
    let tunnel = format!("CONNECT {} HTTP/1.1", server.origin.as_str().trim_start_matches("https://"));
    for ([proxy_name, exceptions_name], no_proxy, used) in [
        (["HTTPS_PROXY", "NO_PROXY"], "169.254.169.254,.internal", true),
        (["https_proxy", "no_proxy"], "", true),
        (["HTTPS_PROXY", "NO_PROXY"], "localhost", false),
        (["https_proxy", "no_proxy"], "*", false),
    ] {
        let variables = [(proxy_name, url.as_str()), (exceptions_name, no_proxy)];
        let connections = trusting(&server.certificate, &variables).unwrap();
        // Also a connection that is opened ahead.
        connections.preconnect(&server.origin).await;
        send(&connections, &server.origin).await.unwrap();
        let seen: Vec<String> = requests.try_iter().collect();
        assert_eq!(seen, vec![tunnel.clone(); usize::from(used)], "{proxy_name} {no_proxy:?}");
    }
}
