// SPDX-License-Identifier: Apache-2.0
//! What the client costs per byte of an artifact: one run, to be counted by callgrind. `cargo xtask bench` makes the runs and the sums.
//!
//! `mender-bench client <payload bytes> <chunk bytes>` is a whole download: the real client and its loop are offered a deployment,
//! receive a plain artifact over HTTP/1.1 in pieces of at most `chunk` bytes, and write its image with the slot port of
//! `mender-sim` into a flash in memory. It ends when the client asks for the restart into the new image. `mender-bench sha …` hashes
//! as many bytes in pieces of the same length with the same SHA-256, and nothing else.
//!
//! Counted (callgrind's `--toggle-collect`) is everything within [`poll`]: the loop, HTTP, the artifact reader, SHA-256, the state
//! machine, the slot port. Not counted, since on a device it is not ours: the server and its network ([`receive`] and [`send`]), the
//! model of the flash (`Flash::program`, `Flash::erase`), and the look at the flash by which the slot port refuses to overwrite a
//! fallback image (`bootloader::is_confirmed`). Two sizes of artifact are counted; the difference of the instructions by the
//! difference of the sizes has no start-up, no requests and no header in it.
//!
//! Copies are counted without callgrind: bytes that reach the slot port from anywhere but the IO buffer were copied on the way, and
//! the slot port counts what it copies itself. Both are printed.

mod ports;
mod server;

use std::hint::black_box;
use std::process::ExitCode;

use mender_base::sha256::{Hasher, Soft};
use mender_client::{Buffers, Client, Config, Timing};
use mender_testkit::artifact::Artifact;
use mender_testkit::image::{Behaviour, Image, Version};

use ports::Ports;

/// More polls than any run needs.
const POLLS_MAX: u32 = 1_000_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<usize>().ok());
    let (Some(what), Some(payload), Some(chunk)) = (args.first(), number(1), number(2)) else {
        eprintln!("mender-bench client|sha <payload bytes> <chunk bytes>");
        return ExitCode::from(2);
    };
    let ran = match what.as_str() {
        "client" => download(payload, chunk),
        "sha" => {
            hash_alone(payload, chunk, number(3).unwrap_or(chunk));
            Ok(())
        }
        _ => Err(format!("{what}: neither client nor sha")),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A good image; its content is pseudo-random, so that nothing is cheap by chance.
fn image(size: usize) -> Vec<u8> {
    let version = Version { major: 2, minor: 0, revision: 0, build: 0 };
    Image::new(version, Behaviour::Fine).size(size).build()
}

fn download(payload: usize, chunk: usize) -> Result<(), String> {
    let artifact =
        Artifact::new(server::RELEASE, server::DEVICE_TYPE).file("zephyr.signed.bin", image(payload));
    let artifact = artifact.build();
    let size = artifact.len();
    let config = Config {
        server_url: server::URL,
        device_type: server::DEVICE_TYPE,
        artifact_name: "release-1",
        allow_http: true,
        timing: Timing { first_check_ms: 0, ..Timing::default() },
        ..Config::default()
    };
    let mut io = vec![0; chunk.max(1024)];
    let (mut token, mut uri) = (vec![0; 1536], vec![0; 1024]);
    let ports = Ports::new(artifact, chunk, io.as_ptr_range());
    let buffers = Buffers { io: &mut io, token: &mut token, uri: &mut uri };
    let mut client = Client::new(config, buffers, ports).map_err(|error| error.text().to_owned())?;
    for _ in 0..POLLS_MAX {
        let wait_ms = poll(&mut client);
        let ports = client.ports_mut();
        ports.now_ms += u64::from(wait_ms);
        if ports.restart {
            let counts = &ports.counts;
            if counts.to_slot != payload as u64 {
                return Err(format!("{} bytes reached the slot, not {payload}", counts.to_slot));
            }
            println!("artifact {size}");
            println!("copied {}", counts.from_elsewhere + ports.slot.copied_bytes());
            println!("first {}", counts.first);
            println!("receives {}", counts.receives);
            return Ok(());
        }
    }
    Err(format!("no restart after {POLLS_MAX} polls:\n{}", client.ports().log.join("\n")))
}

/// The counted part. Its name is what callgrind looks for.
#[inline(never)]
fn poll(client: &mut Client<'_, Ports>) -> u32 {
    black_box(client).poll()
}

fn hash_alone(payload: usize, chunk: usize, first: usize) {
    let data = image(payload);
    let mut hash = Soft::new();
    let (first, rest) = data.split_at(first.min(data.len()));
    for piece in std::iter::once(first).chain(rest.chunks(chunk)) {
        update(&mut hash, piece);
    }
    black_box(hash.finish());
    println!("artifact {}", data.len());
}

/// The counted part of hashing alone.
#[inline(never)]
fn update(hash: &mut Soft, piece: &[u8]) {
    black_box(hash).update(black_box(piece));
}
