//! A TCP proxy that is far away: everything that passes takes half a round trip, and opening a connection a whole one. A
//! client that asks it for a tunnel gets one at once: that is no part of the distance.

use crate::http::accept_tunnel;
use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Starts one on a free port; it lives as long as the process.
pub fn start(target: SocketAddr, round_trip: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for near in listener.incoming() {
            let Ok(near) = near else { continue };
            thread::spawn(move || carry_both(near, target, round_trip));
        }
    });
    Ok(address)
}

/// Carries bytes both ways. The kernel has accepted the connection at once; so what the client sends first is held back
/// for the round trip that its handshake would have taken.
fn carry_both(mut near: TcpStream, target: SocketAddr, round_trip: Duration) {
    if accept_tunnel(&mut near).is_err() {
        return;
    }
    let opened = Instant::now() + round_trip;
    let Ok(far) = TcpStream::connect(target) else { return };
    let (Ok(near_out), Ok(far_out)) = (near.try_clone(), far.try_clone()) else { return };
    thread::spawn(move || carry(far, near_out, round_trip / 2, opened));
    carry(near, far_out, round_trip / 2, opened);
}

fn carry(mut from: TcpStream, mut to: TcpStream, one_way: Duration, opened: Instant) {
    let _as_is = to.set_nodelay(true);
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _gone = to.shutdown(Shutdown::Write);
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        let sent = Instant::now().max(opened);
        if count == 0 || sender.send((sent + one_way, buffer[..count].to_vec())).is_err() {
            break;
        }
    }
}
