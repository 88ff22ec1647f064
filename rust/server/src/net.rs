// SPDX-License-Identifier: Apache-2.0
//! Sockets and threads: one thread for each listening socket and one for each connection.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

use crate::error::Error;
use crate::fault::{Cut, Fault};
use crate::http::{Limits, NoRequest, Reader, Request, Response, is_timeout};
use crate::journal;
use crate::model::Origin;
use crate::state::{Bound, Shared};
use crate::wire::{self, Then};
use crate::{auth, device_api, management, storage};

/// Most bytes of a request to the management API: an artifact.
const MANAGEMENT_BODY_LIMIT: usize = 1 << 30;
/// How long a client is given to read a reply after which the connection ends.
const LINGER: Duration = Duration::from_secs(2);

/// The threads of a server; dropping it ends them all.
pub(crate) struct Net {
    shared: Arc<Shared>,
    crew: Arc<Crew>,
    listeners: Vec<JoinHandle<()>>,
}

/// What the threads share about their end.
#[derive(Default)]
struct Crew {
    stopping: AtomicBool,
    /// Guards nothing; sleepers wait on it so that they can be woken.
    sleep: Mutex<()>,
    wake: Condvar,
    last_connection: AtomicU64,
    open: Mutex<HashMap<u64, TcpStream>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crew {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Sleeps, unless and until the server stops. Says whether to go on.
    fn pause(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut guard = lock(&self.sleep);
        while !self.is_stopping() {
            let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return true;
            };
            guard = self.wake.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

impl Net {
    /// Starts to serve sockets that are bound already.
    pub(crate) fn start(shared: &Arc<Shared>, sockets: Vec<(Bound, TcpListener)>) -> Result<Self, Error> {
        let tls = shared.tls.config(shared.config.tls_record_bytes)?;
        let mut net = Self { shared: Arc::clone(shared), crew: Arc::default(), listeners: Vec::new() };
        for (bound, listener) in sockets {
            let (shared, crew, tls) = (Arc::clone(shared), Arc::clone(&net.crew), Arc::clone(&tls));
            let thread = thread::Builder::new()
                .name(format!("listen-{}", bound.addr.port()))
                .spawn(move || accept_all(&shared, &crew, bound, &listener, &tls))
                .map_err(Error::io("thread"))?;
            net.listeners.push(thread);
        }
        Ok(net)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.crew.stopping.store(true, Ordering::SeqCst);
        drop(lock(&self.crew.sleep));
        self.crew.wake.notify_all();
        for bound in &self.shared.bound {
            // A listening thread sits in accept(); a connection wakes it. It is gone already if this fails.
            drop(TcpStream::connect_timeout(&reachable(bound), LINGER));
        }
        for thread in self.listeners.drain(..) {
            drop(thread.join());
        }
        for stream in lock(&self.crew.open).values() {
            drop(stream.shutdown(Shutdown::Both));
        }
        let threads = std::mem::take(&mut *lock(&self.crew.threads));
        for thread in threads {
            drop(thread.join());
        }
    }
}

/// The address at which this machine reaches a socket that may listen on all addresses.
fn reachable(bound: &Bound) -> std::net::SocketAddr {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
    match bound.addr {
        SocketAddr::V4(addr) if addr.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, addr.port()).into(),
        SocketAddr::V6(addr) if addr.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, addr.port()).into(),
        addr => addr,
    }
}

fn accept_all(
    shared: &Arc<Shared>,
    crew: &Arc<Crew>,
    bound: Bound,
    listener: &TcpListener,
    tls: &Arc<ServerConfig>,
) {
    while !crew.is_stopping() {
        let Ok((stream, _)) = listener.accept() else {
            // Out of file descriptors, most likely: give connections time to end.
            crew.pause(Duration::from_millis(50));
            continue;
        };
        if crew.is_stopping() {
            return;
        }
        let number = crew.last_connection.fetch_add(1, Ordering::SeqCst) + 1;
        let Ok(handle) = stream.try_clone() else { continue };
        lock(&crew.open).insert(number, handle);
        shared.note(|state| {
            let count = state.connections.of(bound.origin);
            count.accepted += 1;
            count.open += 1;
        });
        let (for_thread, crew_of_thread, tls) = (Arc::clone(shared), Arc::clone(crew), Arc::clone(tls));
        let thread = thread::Builder::new().name(format!("connection-{number}")).spawn(move || {
            let connection = Connection { shared: &for_thread, crew: &crew_of_thread, bound, number };
            connection.serve(stream, tls);
            lock(&crew_of_thread.open).remove(&number);
            for_thread.note(|state| state.connections.of(bound.origin).open -= 1);
        });
        let mut threads = lock(&crew.threads);
        threads.retain(|thread| !thread.is_finished());
        match thread {
            Ok(thread) => threads.push(thread),
            Err(_) => {
                lock(&crew.open).remove(&number);
                shared.note(|state| state.connections.of(bound.origin).open -= 1);
            }
        }
    }
}

/// Plain or TLS, with the TCP socket in reach.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.sock,
        }
    }

    fn goodbye(&mut self) {
        if let Self::Tls(tls) = self {
            tls.conn.send_close_notify();
            // The client may be gone: then there is nobody left to be polite to.
            drop(tls.flush());
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// One connection of a client.
struct Connection<'a> {
    shared: &'a Shared,
    crew: &'a Crew,
    bound: Bound,
    number: u64,
}

impl Connection<'_> {
    fn serve(&self, tcp: TcpStream, tls: Arc<ServerConfig>) {
        let ready = tcp
            .set_nodelay(true)
            .and_then(|()| tcp.set_read_timeout(Some(self.shared.config.request_timeout)))
            .and_then(|()| tcp.set_write_timeout(Some(self.shared.config.request_timeout)));
        if ready.is_err() {
            return;
        }
        let Some(mut stream) = self.handshake(tcp, tls) else { return };
        let then = self.exchanges(&mut stream);
        self.end(&mut stream, then);
    }

    fn handshake(&self, mut tcp: TcpStream, tls: Arc<ServerConfig>) -> Option<Stream> {
        if !self.bound.tls {
            return Some(Stream::Plain(tcp));
        }
        let mut connection = ServerConnection::new(tls).ok()?;
        let mut failed = false;
        while connection.is_handshaking() && !failed {
            failed = connection.complete_io(&mut tcp).is_err();
        }
        self.shared.note(|state| {
            let count = state.connections.of(self.bound.origin);
            if failed {
                count.tls_failed += 1;
            } else {
                count.tls += 1;
            }
        });
        (!failed).then(|| Stream::Tls(Box::new(StreamOwned::new(connection, tcp))))
    }

    /// Requests and replies until the connection is to end.
    fn exchanges(&self, stream: &mut Stream) -> Then {
        let config = &self.shared.config;
        let limits = match self.bound.origin {
            Origin::Management => Limits { body: MANAGEMENT_BODY_LIMIT, chunked: true },
            Origin::Api | Origin::Storage => {
                Limits { body: config.body_limit, chunked: config.chunked_uploads }
            }
        };
        let mut reader = Reader::new();
        let mut count = 0;
        loop {
            if stream.tcp().set_read_timeout(Some(config.idle_timeout)).is_err()
                || reader.wait(stream).is_err()
            {
                return Then::Close;
            }
            if stream.tcp().set_read_timeout(Some(config.request_timeout)).is_err() {
                return Then::Close;
            }
            count += 1;
            let last = config.requests_per_connection.is_some_and(|most| count >= most);
            let then = match reader.read(stream, limits) {
                Ok(request) => self.exchange(stream, &request, last),
                Err(NoRequest::Refused(request, status, text)) => {
                    let response = Response::error(status, &text, &request.id);
                    let (frame, _) = self.record(&request, None, response, None, true);
                    frame.send(stream, |time| self.crew.pause(time)).unwrap_or(Then::Close)
                }
                Err(NoRequest::End | NoRequest::Failed) => return Then::Close,
            };
            if then != Then::KeepAlive {
                return then;
            }
        }
    }

    fn exchange(&self, stream: &mut Stream, request: &Request, last: bool) -> Then {
        let device = match self.bound.origin {
            Origin::Api => auth::device_of(self.shared, request),
            Origin::Storage | Origin::Management => None,
        };
        let fault =
            self.shared.note(|state| state.faults.strike(self.bound.origin, request, device.as_deref()));
        let waits = |ms: fn(&Fault) -> u64| {
            fault.as_ref().is_none_or(|fault| self.crew.pause(Duration::from_millis(ms(fault))))
        };
        if !waits(|fault| fault.delay_before_ms) {
            return Then::Close;
        }
        // Between the deed and its record the journal lags behind; who reads it waits for that to pass.
        let journaled = self.bound.origin != Origin::Management;
        self.shared.note(|state| state.acting += usize::from(journaled));
        let acts = fault.as_ref().is_none_or(Fault::acts);
        let response = if acts { self.act(request) } else { Response::empty(200) };
        let close = request.close || last;
        let (frame, drop) = self.record(request, device, response, fault.as_ref(), close);
        self.shared.note(|state| state.acting -= usize::from(journaled));
        if !waits(|fault| fault.delay_ms) {
            return Then::Close;
        }
        match drop {
            Some(cut) => Then::Cut(cut),
            None => frame.send(stream, |time| self.crew.pause(time)).unwrap_or(Then::Close),
        }
    }

    fn act(&self, request: &Request) -> Response {
        match self.bound.origin {
            Origin::Api => device_api::answer(self.shared, request, self.bound.tls),
            Origin::Storage => storage::answer(self.shared, request),
            Origin::Management => management::answer(self.shared, request),
        }
    }

    /// Frames the reply and enters the exchange into the journal before a byte goes out: whoever has the reply finds the
    /// record. Says how to cut the connection where no reply is to be sent.
    fn record(
        &self,
        request: &Request,
        device: Option<String>,
        response: Response,
        fault: Option<&Fault>,
        close: bool,
    ) -> (wire::Frame, Option<Cut>) {
        let response = match fault {
            Some(fault) => fault.change(response),
            None => response,
        };
        let drop = fault.and_then(|fault| fault.drop_request.or(fault.drop_reply));
        let silent = drop.is_some() || fault.is_some_and(|fault| fault.garbage.is_some());
        let mut record = journal::record(self.bound.origin, self.number, self.bound.tls, request);
        record.device = device;
        record.fault = fault.is_some();
        record.error.clone_from(&response.why);
        record.status = if silent { 0 } else { response.status };
        let frame = wire::frame(response, close, fault);
        record.reply_bytes = if drop.is_some() { 0 } else { frame.body_len() };
        if self.bound.origin != Origin::Management {
            self.shared.note(|state| state.journal.add(record));
        }
        (frame, drop)
    }

    /// Ends the connection the way it was decided.
    fn end(&self, stream: &mut Stream, then: Then) {
        match then {
            Then::KeepAlive | Then::Close => {
                stream.goodbye();
                linger(stream.tcp());
            }
            Then::Cut(Cut::CloseNotify) => {
                stream.goodbye();
                linger(stream.tcp());
            }
            Then::Cut(Cut::Fin) => linger(stream.tcp()),
            Then::Cut(Cut::Reset) => {
                // Closing with a linger time of zero resets the connection; without it, the close is an orderly one.
                drop(SockRef::from(stream.tcp()).set_linger(Some(Duration::ZERO)));
                lock(&self.crew.open).remove(&self.number);
            }
            Then::Cut(Cut::Silence) => {
                let mut sink = [0; 1024];
                loop {
                    match stream.tcp().read(&mut sink) {
                        Ok(0) => return,
                        Ok(_) => {}
                        Err(error) if is_timeout(&error) => {}
                        Err(_) => return,
                    }
                }
            }
        }
    }
}

/// Ends our side, then reads what the client still sends: closing with unread bytes would reset the connection and could
/// take the reply with it.
fn linger(mut tcp: &TcpStream) {
    let ended = tcp.shutdown(Shutdown::Write).and_then(|()| tcp.set_read_timeout(Some(LINGER)));
    if ended.is_err() {
        return;
    }
    let end = Instant::now() + LINGER;
    let mut sink = [0; 4096];
    while matches!(tcp.read(&mut sink), Ok(count) if count > 0) && Instant::now() < end {}
}
