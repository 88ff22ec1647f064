// SPDX-License-Identifier: Apache-2.0
//! A client as an application makes it, on ports of which nothing is known. Its size is what the client costs.
#![no_std]
#![no_main]

use mender_client::{Buffers, Client, Config};
use nopanic::any::{Memory, any, see};
use nopanic::ports::Unknown;

/// The client's own memory; `cargo xtask nopanic` reads its size from the symbol table.
#[unsafe(no_mangle)]
static MENDER_CLIENT: Memory<Client<'static, Unknown>> = Memory::new();
/// What is lent to it, of the sizes its documentation names.
#[unsafe(no_mangle)]
static MENDER_IO: Memory<[u8; 1024]> = Memory::new();
#[unsafe(no_mangle)]
static MENDER_TOKEN: Memory<[u8; 1536]> = Memory::new();
#[unsafe(no_mangle)]
static MENDER_URI: Memory<[u8; 1024]> = Memory::new();

/// Where the linked program begins.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    let config = Config {
        server_url: any(),
        device_type: any(),
        artifact_name: any(),
        tenant_token: any(),
        allow_http: any(),
        abort_probe_ms: any(),
        ..Config::default()
    };
    // SAFETY: this function runs once, and lends each once.
    let io = unsafe { MENDER_IO.lend([0; 1024]) };
    // SAFETY: as above.
    let token = unsafe { MENDER_TOKEN.lend([0; 1536]) };
    // SAFETY: as above.
    let uri = unsafe { MENDER_URI.lend([0; 1024]) };
    let buffers = Buffers { io, token, uri };
    // SAFETY: as above, and `new_in` writes the client.
    let made = unsafe { MENDER_CLIENT.lend_made(|memory| Client::new_in(memory, config, buffers, Unknown)) };
    if let Ok(client) = made {
        // As in the C API, the optimiser does not know where it is.
        let client = core::hint::black_box(client);
        loop {
            if any() {
                client.check_now();
            }
            see(client.poll());
        }
    }
    loop {
        core::hint::spin_loop();
    }
}
