//! The least HTTP/1.1 server that answers real clients: blocking, a thread for each connection, an answer in one write.

use anyhow::{Context, Result, ensure};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Connections with a request whose TLS handshake resumed a session.
    pub resumed: u64,
    pub requests: u64,
}

impl Counts {
    pub fn since(self, earlier: Self) -> Self {
        Self {
            connections: self.connections - earlier.connections,
            resumed: self.resumed - earlier.resumed,
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
    resumed: AtomicU64,
    requests: AtomicU64,
    /// The connections that are open, by their numbers.
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl Counters {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
                let number = counters.connections.fetch_add(1, Ordering::Relaxed);
                if let Ok(socket) = socket.try_clone() {
                    counters.open().insert(number, socket);
                }
                let (tls, answer, counters) = (tls.clone(), answer.clone(), counters.clone());
                thread::spawn(move || {
                    if let Err(error) = converse(socket, tls, &*answer, &counters) {
                        eprintln!("stand-in: {error:#}");
                    }
                    counters.open().remove(&number);
                });
            }
        });
        Ok(server)
    }

    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.counters.connections.load(Ordering::Relaxed),
            resumed: self.counters.resumed.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
        }
    }

    /// Ends every open connection, as a server does with those that were idle for too long.
    pub fn end_connections(&self) {
        for socket in self.counters.open().values() {
            // Fails for a connection that the client has just ended.
            let _ended = socket.shutdown(Shutdown::Both);
        }
    }
}

fn converse(
    mut socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answer: &Answer,
    counters: &Counters,
) -> Result<()> {
    socket.set_nodelay(true)?;
    let Some(config) = tls else { return serve(socket, answer, counters, |_| false) };
    accept_tunnel(&mut socket)?;
    let stream = StreamOwned::new(ServerConnection::new(config)?, socket);
    serve(stream, answer, counters, |stream| stream.conn.handshake_kind() == Some(HandshakeKind::Resumed))
}

/// Answers a client that takes this for a proxy and asks for a tunnel: to here, whatever host it names. That is how a
/// host's real name leads to a stand-in.
pub fn accept_tunnel(socket: &mut TcpStream) -> Result<()> {
    let mut first = [0];
    // A TLS connection begins with another byte than the C of CONNECT.
    if matches!(socket.peek(&mut first), Ok(1)) && first == *b"C" {
        read_request(socket, &mut Vec::new())?;
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    }
    Ok(())
}

fn serve<S: Read + Write>(
    mut stream: S,
    answer: &Answer,
    counters: &Counters,
    is_resumed: impl Fn(&S) -> bool,
) -> Result<()> {
    let mut buffer = Vec::new();
    let mut is_first = true;
    while let Some(request) = read_request(&mut stream, &mut buffer)? {
        if std::mem::take(&mut is_first) && is_resumed(&stream) {
            counters.resumed.fetch_add(1, Ordering::Relaxed);
        }
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
