// SPDX-License-Identifier: Apache-2.0
//! An artifact store that answers what a test tells it, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A store on plain HTTP, one request per connection, one connection at a time.
pub struct Store {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Answers each request, of which `reply` sees the head, with these bytes.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(mut reply: impl FnMut(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heads, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (heard, stopped) = (Arc::clone(&heads), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Some(head) = head_of(&stream) else { continue };
                let bytes = reply(&head);
                heard.lock().expect("a healthy thread").push(head);
                // The client may have had enough.
                (&stream).write_all(&bytes).unwrap_or_default();
            }
        });
        Self { address, heads, stop, thread: Some(thread) }
    }

    /// Answers every request with this artifact, whole.
    #[must_use]
    pub fn of(artifact: Vec<u8>) -> Self {
        Self::start(move |_| ok(&artifact))
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far, as they came.
    ///
    /// # Panics
    /// Never: the thread that fills the list does not panic.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("a healthy thread").clone()
    }
}

/// A reply with this body.
#[must_use]
pub fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn head_of(mut stream: &TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The thread sits in accept(); a connection wakes it.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
