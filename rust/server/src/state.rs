// SPDX-License-Identifier: Apache-2.0
//! What a running server holds, shared by its threads.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::Error;
use crate::fault::Faults;
use crate::http::{Request, split_host};
use crate::journal::{Connections, Journal, RequestRecord};
use crate::jwt::Signer;
use crate::model::{Artifact, Deployment, Device, Origin};
use crate::tls::Tls;
use crate::{disk, storage};

/// An artifact and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) artifact: Artifact,
    pub(crate) bytes: Arc<[u8]>,
}

/// Everything that changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) devices: BTreeMap<String, Device>,
    /// Authentication sets whose tokens are known; a token of any other set is revoked.
    pub(crate) live: HashSet<String>,
    /// Tokens handed out, and those of them that were made to expire early; by SHA-256.
    pub(crate) issued: Vec<[u8; 32]>,
    pub(crate) expired: HashSet<[u8; 32]>,
    pub(crate) artifacts: BTreeMap<String, Stored>,
    /// In the order of their creation.
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    /// Exchanges that were acted upon, or are about to be, and are not in the journal yet.
    pub(crate) acting: usize,
    pub(crate) connections: Connections,
    /// Number of the last link handed out, and of the last one that was made to expire early.
    pub(crate) last_link: u64,
    pub(crate) last_expired_link: u64,
}

/// A socket the server listens on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) origin: Origin,
    pub(crate) addr: SocketAddr,
    pub(crate) tls: bool,
}

/// What all threads of a server share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) bound: Vec<Bound>,
    pub(crate) signer: Signer,
    pub(crate) link_key: ring::hmac::Key,
    pub(crate) tls: Tls,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn new(config: Config, bound: Vec<Bound>, tls: Tls) -> Result<Self, Error> {
        let data = config.data.as_deref();
        let seed = disk::secret(data, "token.key")?;
        let link_seed = disk::secret(data, "link.key")?;
        let state = match data {
            Some(folder) => disk::load(folder)?,
            None => State::default(),
        };
        Ok(Self {
            bound,
            signer: Signer::new(&seed)?,
            link_key: storage::link_key(&link_seed),
            tls,
            state: Mutex::new(state),
            changed: Condvar::new(),
            config,
        })
    }

    /// The state, to look at.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, keeps it on disk where one is configured, and wakes who waits for a change.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state);
        if let Some(folder) = &self.config.data {
            // The change stands in memory; a full disk must not take the server down, but it must be seen.
            if let Err(error) = disk::save(folder, &state) {
                eprintln!("mender-server: state not saved: {error}");
            }
        }
        drop(state);
        self.changed.notify_all();
        result
    }

    /// Changes what is not kept on disk (records, counters, faults).
    pub(crate) fn note<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    /// Waits until `wanted` yields something, or `None` after `timeout`.
    pub(crate) fn wait<T>(
        &self,
        timeout: Duration,
        mut wanted: impl FnMut(&State) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + timeout;
        let mut state = self.state();
        loop {
            if let Some(found) = wanted(&state) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The journal, once it has caught up with what was done.
    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        let settled = |state: &State| (state.acting == 0).then(|| state.journal.all().cloned().collect());
        self.wait(Duration::from_secs(1), settled)
            .unwrap_or_else(|| self.state().journal.all().cloned().collect())
    }

    /// `http(s)://host:port` of the first socket of that kind.
    pub(crate) fn url(&self, origin: Origin) -> Option<String> {
        let bound = self.bound.iter().find(|bound| bound.origin == origin)?;
        Some(self.url_of(bound, None))
    }

    /// `http(s)://host:port` of a socket; the host is the configured one, else `asked`, else the socket's own.
    pub(crate) fn url_of(&self, bound: &Bound, asked: Option<&str>) -> String {
        let scheme = if bound.tls { "https" } else { "http" };
        let own = match bound.addr {
            addr if addr.ip().is_unspecified() => "localhost".to_owned(),
            SocketAddr::V4(addr) => addr.ip().to_string(),
            SocketAddr::V6(addr) => format!("[{}]", addr.ip()),
        };
        let host = self.config.host.as_deref().or(asked).unwrap_or(&own);
        format!("{scheme}://{host}:{}", bound.addr.port())
    }

    /// Where the storage is for the device that made `request`: same scheme and host where possible.
    pub(crate) fn storage_url(&self, request: &Request, tls: bool) -> Option<String> {
        let mut sockets = self.bound.iter().filter(|bound| bound.origin == Origin::Storage);
        let same = sockets.clone().find(|bound| bound.tls == tls);
        let bound = same.or_else(|| sockets.next())?;
        let asked = request.header("Host").map(|host| split_host(host).0);
        Some(self.url_of(bound, asked))
    }
}
