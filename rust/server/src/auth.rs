// SPDX-License-Identifier: Apache-2.0
//! Who may talk to the server: authentication requests, tokens, and the decisions of the server's user.
//!
//! Source: Mender device API, device authentication.

use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::error::Error;
use crate::http::{Request, Response};
use crate::json::canonical_identity;
use crate::model::{AuthSet, AuthStatus, DECOMMISSIONED, Device};
use crate::pubkey::PublicKey;
use crate::stamp;
use crate::state::{Shared, State};

#[derive(Deserialize)]
struct AuthRequest {
    #[serde(default)]
    id_data: String,
    #[serde(default)]
    pubkey: String,
    tenant_token: Option<String>,
    tier: Option<String>,
}

/// What a device is told that may not come in, whatever the reason.
const UNAUTHORIZED: &str = "dev auth: unauthorized";

/// `POST /api/devices/v1/authentication/auth_requests`.
pub(crate) fn submit(shared: &Shared, request: &Request) -> Response {
    let refuse = |status, text: &str| Response::error(status, text, &request.id);
    let asked: AuthRequest = match serde_json::from_slice(&request.body) {
        Ok(asked) => asked,
        Err(error) => return refuse(400, &format!("failed to decode auth request: {error}")),
    };
    if asked.id_data.is_empty() {
        return refuse(400, "invalid auth request: id_data must be provided");
    }
    if asked.pubkey.is_empty() {
        return refuse(400, "invalid auth request: pubkey must be provided");
    }
    let Some(key) = PublicKey::parse(&asked.pubkey) else {
        return refuse(400, "invalid auth request: cannot decode public key");
    };
    let Some(identity) = canonical_identity(&asked.id_data) else {
        return refuse(400, "invalid auth request: id_data is not a JSON object");
    };
    let tier = asked.tier.as_deref().unwrap_or("standard");
    if !["standard", "micro", "system"].contains(&tier) {
        return refuse(400, "invalid auth request: tier must be standard, micro or system");
    }
    let Some(signature) = request.header("X-MEN-Signature").filter(|text| !text.is_empty()) else {
        return refuse(400, "missing request signature header");
    };
    if !key.verifies(signature, &request.body) {
        return refuse(401, "signature verification failed");
    }
    let expected = shared.config.tenant_token.as_deref();
    if expected.is_some() && expected != asked.tenant_token.as_deref() {
        return refuse(401, UNAUTHORIZED);
    }
    match shared.change(|state| admit(shared, state, &identity, &key.pem, tier)) {
        Some(token) => Response::bytes(200, "application/jwt", token.into_bytes()),
        None => refuse(401, UNAUTHORIZED),
    }
}

/// A token, if the device may come in now; it is remembered either way.
fn admit(shared: &Shared, state: &mut State, identity: &str, pubkey: &str, tier: &str) -> Option<String> {
    let id = known_device(state, identity, pubkey, tier);
    let may_accept = has_room(shared, state, &id);
    let device = state.devices.get_mut(&id)?;
    let set = device.auth_sets.iter_mut().find(|set| set.pubkey == pubkey && set.tier == tier)?;
    set.requests += 1;
    let first = set.status == AuthStatus::Preauthorized
        || (set.status == AuthStatus::Pending && shared.config.accept_all);
    let set_id = set.id.clone();
    if first && may_accept {
        set_status(state, &id, &set_id, AuthStatus::Accepted);
    }
    let device = state.devices.get_mut(&id)?;
    let set = device.auth_sets.iter_mut().find(|set| set.id == set_id)?;
    if set.status != AuthStatus::Accepted {
        return None;
    }
    set.tokens += 1;
    device.last_seen = Some(stamp::now());
    let token = shared.signer.issue(&set_id, &id, shared.config.token_lifetime, shared.config.token_bytes);
    state.live.insert(set_id);
    state.issued.push(fingerprint(&token));
    Some(token)
}

/// The id of the device with this identity; device and authentication set are made when they are new.
fn known_device(state: &mut State, identity: &str, pubkey: &str, tier: &str) -> String {
    let found =
        state.devices.values().find(|device| device.identity == identity).map(|device| device.id.clone());
    let id = found.unwrap_or_else(stamp::uuid);
    let device = state.devices.entry(id.clone()).or_insert_with(|| Device {
        id: id.clone(),
        identity: identity.to_owned(),
        status: AuthStatus::Pending,
        auth_sets: Vec::new(),
        inventory: std::collections::BTreeMap::new(),
        inventory_updates: 0,
        inventory_at: None,
        created: stamp::now(),
        last_seen: None,
    });
    if !device.auth_sets.iter().any(|set| set.pubkey == pubkey && set.tier == tier) {
        device.auth_sets.push(AuthSet {
            id: stamp::uuid(),
            pubkey: pubkey.to_owned(),
            tier: tier.to_owned(),
            status: AuthStatus::Pending,
            ts: stamp::now(),
            requests: 0,
            tokens: 0,
        });
        device.status = summary(device);
    }
    id
}

fn has_room(shared: &Shared, state: &State, id: &str) -> bool {
    let accepted = |device: &&Device| device.status == AuthStatus::Accepted && device.id != id;
    let count = state.devices.values().filter(accepted).count();
    shared.config.max_devices.is_none_or(|most| count < most)
}

fn summary(device: &Device) -> AuthStatus {
    use AuthStatus::{Accepted, Pending, Preauthorized, Rejected};
    let has = |status| device.auth_sets.iter().any(|set| set.status == status);
    [Accepted, Preauthorized, Pending].into_iter().find(|status| has(*status)).unwrap_or(Rejected)
}

/// Decides on one authentication set. Accepting one rejects the others that were accepted; a set that is no longer accepted
/// loses its tokens.
fn set_status(state: &mut State, device: &str, set: &str, status: AuthStatus) {
    let Some(device) = state.devices.get_mut(device) else { return };
    for other in &mut device.auth_sets {
        let new = match (other.id == set, status, other.status) {
            (true, ..) => status,
            (false, AuthStatus::Accepted, AuthStatus::Accepted) => AuthStatus::Rejected,
            _ => continue,
        };
        other.status = new;
        if new != AuthStatus::Accepted {
            state.live.remove(&other.id);
        }
    }
    device.status = summary(device);
}

/// The device whose valid token `request` carries, or the gateway's refusal.
pub(crate) fn verify(shared: &Shared, request: &Request) -> Result<String, Response> {
    let Some(token) = bearer(request) else {
        return Err(Response::error(401, "Authorization not present in header", &request.id));
    };
    let Some(claims) = shared.signer.check(token) else {
        return Err(Response::silent(401, "not a token of this server"));
    };
    let old = claims.expires <= stamp::unix(SystemTime::now());
    shared.note(|state| {
        if old || state.expired.contains(&fingerprint(token)) {
            // The first use after expiry deletes the token's set from the server's store; later uses find nothing.
            return Err(if state.live.remove(&claims.auth_set) {
                Response::silent(403, "token expired")
            } else {
                Response::silent(401, "token expired and deleted")
            });
        }
        if !state.live.contains(&claims.auth_set) {
            return Err(Response::silent(401, "token revoked"));
        }
        match state.devices.get_mut(&claims.device) {
            Some(device) => device.last_seen = Some(stamp::now()),
            None => return Err(Response::silent(401, "token of an unknown device")),
        }
        Ok(claims.device)
    })
}

/// The id in the token of `request`, valid or not.
pub(crate) fn device_of(shared: &Shared, request: &Request) -> Option<String> {
    shared.signer.check(bearer(request)?).map(|claims| claims.device)
}

/// The token of `Authorization: Bearer <token>` with exactly one space, or of the cookie `JWT`.
fn bearer(request: &Request) -> Option<&str> {
    if let Some(value) = request.header("Authorization") {
        let (scheme, token) = value.split_once(' ')?;
        return (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty() && !token.contains(' '))
            .then_some(token);
    }
    let cookies = request.header("Cookie")?;
    cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("JWT="))
}

fn fingerprint(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}

impl State {
    /// The id of the device that `name` means: its id, a value of its identity, or else the beginning of its id.
    pub(crate) fn find_device(&self, name: &str) -> Result<String, Error> {
        if self.devices.contains_key(name) {
            return Ok(name.to_owned());
        }
        let has_value = |device: &&Device| {
            let identity: serde_json::Value = serde_json::from_str(&device.identity).unwrap_or_default();
            identity.as_object().into_iter().flatten().any(|(_, value)| value.as_str() == Some(name))
        };
        let mut found: Vec<&Device> = self.devices.values().filter(has_value).collect();
        if found.is_empty() && !name.is_empty() {
            found = self.devices.values().filter(|device| device.id.starts_with(name)).collect();
        }
        match found.as_slice() {
            [one] => Ok(one.id.clone()),
            [] => Err(Error::NotFound(format!("device {name}"))),
            _ => Err(Error::Invalid(format!("{name:?} fits {} devices", found.len()))),
        }
    }

    /// Decides on all (or one) of a device's authentication sets: accepting takes the newest that asked.
    pub(crate) fn decide(
        &mut self,
        device: &str,
        set: Option<&str>,
        status: AuthStatus,
    ) -> Result<(), Error> {
        let id = self.find_device(device)?;
        let sets = self.devices.get(&id).map(|device| device.auth_sets.clone()).unwrap_or_default();
        let chosen: Vec<String> = match (set, status) {
            (Some(set), _) => sets.iter().map(|s| s.id.clone()).filter(|have| have == set).collect(),
            (None, AuthStatus::Accepted) => sets.last().map(|s| s.id.clone()).into_iter().collect(),
            (None, _) => sets.iter().map(|s| s.id.clone()).collect(),
        };
        if chosen.is_empty() {
            return Err(Error::NotFound("authentication set".to_owned()));
        }
        for set in chosen {
            set_status(self, &id, &set, status);
        }
        Ok(())
    }

    /// Lets a device in before it was ever seen. Returns its id.
    pub(crate) fn preauthorize(&mut self, identity: &str, pubkey: &str, tier: &str) -> Result<String, Error> {
        let identity =
            canonical_identity(identity).ok_or_else(|| Error::Invalid("identity data".to_owned()))?;
        let key = PublicKey::parse(pubkey).ok_or_else(|| Error::Invalid("public key".to_owned()))?;
        if self.devices.values().any(|device| device.identity == identity) {
            return Err(Error::Conflict("a device with this identity exists".to_owned()));
        }
        let id = known_device(self, &identity, &key.pem, tier);
        let set = self.devices.get(&id).and_then(|device| device.auth_sets.last()).map(|set| set.id.clone());
        set_status(self, &id, &set.unwrap_or_default(), AuthStatus::Preauthorized);
        Ok(id)
    }

    /// Forgets a device: its tokens are void, its deployments end, and it would come back as a new one.
    pub(crate) fn decommission(&mut self, device: &str) -> Result<(), Error> {
        let id = self.find_device(device)?;
        if let Some(gone) = self.devices.remove(&id) {
            for set in gone.auth_sets {
                self.live.remove(&set.id);
            }
        }
        self.end_deployments_of(&id, DECOMMISSIONED);
        Ok(())
    }

    /// Makes every token handed out so far an expired one.
    pub(crate) fn expire_tokens(&mut self) {
        self.expired.extend(self.issued.drain(..));
    }

    /// Makes every token handed out so far an unknown one.
    pub(crate) fn revoke_tokens(&mut self) {
        self.live.clear();
    }
}
