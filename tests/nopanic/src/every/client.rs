// SPDX-License-Identifier: Apache-2.0
//! mender-port and mender-client.

use mender_client::{Buffers, Client, Config, Tier};
use mender_port::{ModuleId, Modules, ResetCause, System as _};
use nopanic::any::{any, one_of, part, see};
use nopanic::ports::Unknown;

fn config() -> Config<'static> {
    let mut config = Config::default();
    if any() {
        config = Config {
            server_url: any(),
            device_type: any(),
            artifact_name: any(),
            tenant_token: any(),
            tier: one_of(&[None, Some(Tier::Standard), Some(Tier::Micro), Some(Tier::System)]),
            timing: super::update::timing(),
            allow_http: any(),
            abort_probe_ms: any(),
            idle_timeout_ms: any(),
            total_timeout_ms: any(),
            download_tries: any(),
        };
    }
    config
}

pub(crate) fn every() {
    see(ResetCause::name(Unknown.reset_cause()));
    see(Config::check(&config()));
    see(Modules::download(&mut Unknown, any::<ModuleId>()));
    let (mut io, mut token, mut uri) = ([0; 2048], [0; 1536], [0; 1024]);
    let buffers = Buffers { io: part(&mut io), token: part(&mut token), uri: part(&mut uri) };
    let mut memory = core::mem::MaybeUninit::uninit();
    if any() {
        see(Client::new_in(&mut memory, config(), buffers, Unknown));
        return;
    }
    let Ok(mut client) = Client::new(config(), buffers, Unknown) else { return };
    while any() {
        match any() {
            0u8 => Client::check_now(&mut client),
            1 => Client::inventory_now(&mut client),
            2 => see(Client::snapshot(&client)),
            4 => Client::authenticate_now(&mut client),
            5 => Client::retry(&mut client),
            6 => Client::abort(&mut client),
            7 => see(Client::confirm(&mut client)),
            8 => see(Client::public_key(&mut client, part(&mut [0; 200]))),
            9 => Client::deployment_log(&client, &mut |entry| see(entry)),
            3 => see((&raw const *Client::ports(&client), &raw mut *Client::ports_mut(&mut client))),
            _ => see(Client::poll(&mut client)),
        }
    }
    see(Client::exit(client));
}
