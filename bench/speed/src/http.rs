//! The least HTTP/1.1 server that answers real clients: blocking, a thread for each connection, an answer in one write.

use anyhow::{Context, Result, ensure};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A request, whole.
pub struct Request {
    pub target: String,
    pub body: Vec<u8>,
}

/// Answers requests; the bytes are the whole answer, head included.
pub type Answer = dyn Fn(&Request) -> Vec<u8> + Send + Sync;

/// What reached a server so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: u64,
    pub requests: u64,
}

impl Counts {
    pub fn since(self, earlier: Self) -> Self {
        Self {
            connections: self.connections - earlier.connections,
            requests: self.requests - earlier.requests,
        }
    }
}

/// A server on a free port of this machine; it lives as long as the process.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    requests: AtomicU64,
}

impl Server {
    /// Starts it; with TLS where there is a configuration.
    pub fn start(tls: Option<Arc<ServerConfig>>, answer: Arc<Answer>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = Self { address: listener.local_addr()?, counters: Arc::default() };
        let counters = server.counters.clone();
        thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { continue };
                counters.connections.fetch_add(1, Ordering::Relaxed);
                let (tls, answer, counters) = (tls.clone(), answer.clone(), counters.clone());
                thread::spawn(move || {
                    if let Err(error) = converse(socket, tls, &*answer, &counters) {
                        eprintln!("stand-in: {error:#}");
                    }
                });
            }
        });
        Ok(server)
    }

    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.counters.connections.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
        }
    }
}

fn converse(
    socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answer: &Answer,
    counters: &Counters,
) -> Result<()> {
    socket.set_nodelay(true)?;
    match tls {
        None => serve(socket, answer, counters),
        Some(config) => serve(StreamOwned::new(ServerConnection::new(config)?, socket), answer, counters),
    }
}

fn serve(mut stream: impl Read + Write, answer: &Answer, counters: &Counters) -> Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer)? {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        stream.write_all(&answer(&request))?;
        stream.flush()?;
    }
    Ok(())
}

/// The next request, or `None` where the client has gone. `buffer` keeps what was read beyond it.
fn read_request(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<Option<Request>> {
    loop {
        if let Some((request, length)) = parse_request(buffer)? {
            buffer.drain(..length);
            return Ok(Some(request));
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            // Clients are killed, or end a TLS connection without a word: that is an end like any other.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("reading a request"),
        }
    }
}

/// The request at the beginning of the buffer with its length, or `None` while it is incomplete.
fn parse_request(buffer: &[u8]) -> Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_length) = head.parse(buffer)? else { return Ok(None) };
    let mut body_length = 0;
    for header in head.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            body_length = std::str::from_utf8(header.value)?.trim().parse()?;
        }
        ensure!(!header.name.eq_ignore_ascii_case("transfer-encoding"), "a body in chunks is not expected");
    }
    let length = head_length + body_length;
    let Some(body) = buffer.get(head_length..length) else { return Ok(None) };
    let target = head.path.context("no request line")?.to_owned();
    Ok(Some((Request { target, body: body.to_vec() }, length)))
}

/// An answer with a body.
pub fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut whole = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    whole.extend_from_slice(body);
    whole
}
