// SPDX-License-Identifier: Apache-2.0
//! `mender-server run`.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::ValueExt as _;
use lexopt::prelude::{Long, Short};
use mender_server::{Config, Listen, Origin, Server};
use serde_json::{Value, json};

use super::{Failure, show};

const HELP: &str = "\
mender-server run: serve until the process is ended

  --listen ADDR            device API; ADDR is [http://|https://]IP:PORT, port 0 takes a free one, repeatable
                           [default: 127.0.0.1:8080, with --https 127.0.0.1:8443]
  --https                  HTTPS for addresses that do not say which
  --storage-listen ADDR    artifact storage [default: like the device API, one port higher]
  --management-listen IP:PORT   management API, plain HTTP without authentication [default: 127.0.0.1:8090]
  --host NAME              host name or address in artifact links and in the certificate
                           [default: links have the host the device asked; certificates localhost and the addresses]
  --data DIR               keep CA, keys, artifacts, devices and deployments in DIR [default: nothing is kept]
  --ca-file FILE           write the CA's certificate there (PEM) [default: DIR/ca.pem with --data]
  --ready-file FILE        write the ready line there too, once everything listens
  --quiet                  no line for each request

  --accept-all             accept new devices at their first request [default: `mender-server accept DEVICE`]
  --tenant-token TOKEN     refuse devices that do not send this tenant token
  --max-devices N          accept no more than N devices
  --token-lifetime SECONDS lifetime of device tokens [default: 604800]
  --token-bytes N          least size of device tokens [default: 850]
  --link-lifetime SECONDS  lifetime of artifact links [default: 86400]
  --link-bytes N           least length of artifact links [default: as they come, about 500]
  --idle-timeout SECONDS   close connections without requests after that [default: 60]
  --tls-record-bytes N     largest TLS record to send, for boards with small receive buffers [default: 16384]
  --no-v2                  no POST /api/devices/v2/…/next, like open-source servers
  --no-ranges              the storage serves whole artifacts only
  --strict                 refuse request bodies in chunks (the official Linux client sends such)

When it is ready it prints one line of JSON with its URLs, then one line on stderr for each request.
";

const MANAGEMENT: &str = "127.0.0.1:8090";

struct Options {
    config: Config,
    listen: Vec<String>,
    storage: Vec<String>,
    https: bool,
    ca_file: Option<PathBuf>,
    ready_file: Option<PathBuf>,
    quiet: bool,
}

pub(crate) fn run(parser: lexopt::Parser) -> Result<(), Failure> {
    let Some(options) = parse(parser)? else {
        print!("{HELP}");
        return Ok(());
    };
    let config = complete(&options)?;
    let in_data = config.data.as_ref().map(|folder| folder.join("ca.pem"));
    let server = Server::start(config)?;
    if let Some(file) = &options.ca_file {
        fs::write(file, server.ca_pem()).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let ca_file = options.ca_file.or(in_data);
    let ready = ready_line(&server, ca_file.as_deref());
    if let Some(file) = &options.ready_file {
        // Whoever waits for the file must not read half of it.
        let new = file.with_extension("new");
        let written = fs::write(&new, &ready).and_then(|()| fs::rename(&new, file));
        written.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    println!("{ready}");
    std::io::stdout().flush()?;
    if options.quiet {
        server.run()
    }
    print_requests(&server)
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, Failure> {
    let config = Config { accept_all: false, chunked_uploads: true, ..Config::default() };
    let mut options = Options {
        config: Config { management: Some(MANAGEMENT.parse()?), ..config },
        listen: Vec::new(),
        storage: Vec::new(),
        https: false,
        ca_file: None,
        ready_file: None,
        quiet: false,
    };
    let config = &mut options.config;
    while let Some(arg) = parser.next()? {
        match arg {
            Long("listen") => options.listen.push(parser.value()?.string()?),
            Long("storage-listen") => options.storage.push(parser.value()?.string()?),
            Long("management-listen") => config.management = Some(parser.value()?.parse()?),
            Long("https") => options.https = true,
            Long("host") => config.host = Some(parser.value()?.string()?),
            Long("data") => config.data = Some(parser.value()?.into()),
            Long("ca-file") => options.ca_file = Some(parser.value()?.into()),
            Long("ready-file") => options.ready_file = Some(parser.value()?.into()),
            Long("quiet") => options.quiet = true,
            Long("accept-all") => config.accept_all = true,
            Long("tenant-token") => config.tenant_token = Some(parser.value()?.string()?),
            Long("max-devices") => config.max_devices = Some(parser.value()?.parse()?),
            Long("token-lifetime") => config.token_lifetime = Duration::from_secs(parser.value()?.parse()?),
            Long("token-bytes") => config.token_bytes = parser.value()?.parse()?,
            Long("link-lifetime") => config.link_lifetime = Duration::from_secs(parser.value()?.parse()?),
            Long("link-bytes") => config.link_bytes = parser.value()?.parse()?,
            Long("idle-timeout") => config.idle_timeout = Duration::from_secs(parser.value()?.parse()?),
            Long("tls-record-bytes") => config.tls_record_bytes = Some(parser.value()?.parse()?),
            Long("no-v2") => config.deployments_v2 = false,
            Long("no-ranges") => config.ranges = false,
            Long("strict") => config.chunked_uploads = false,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(options))
}

/// The configuration with its addresses.
fn complete(options: &Options) -> Result<Config, Failure> {
    let mut config = options.config.clone();
    let default = if options.https { "127.0.0.1:8443" } else { "127.0.0.1:8080" };
    config.api = listens(&options.listen, options.https)?;
    if config.api.is_empty() {
        config.api.push(Listen { addr: default.parse()?, tls: options.https });
    }
    config.storage = listens(&options.storage, options.https)?;
    if config.storage.is_empty() {
        config.storage =
            config.api.iter().map(|api| Listen { addr: next_port(api.addr), tls: api.tls }).collect();
    }
    Ok(config)
}

fn listens(texts: &[String], https: bool) -> Result<Vec<Listen>, Failure> {
    let mut listens = Vec::new();
    for text in texts {
        let (tls, addr) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(addr), _) => (true, addr),
            (_, Some(addr)) => (false, addr),
            _ => (https, text.as_str()),
        };
        let addr = addr.parse().map_err(|error| format!("{text}: {error} (IP:PORT is wanted)"))?;
        listens.push(Listen { addr, tls });
    }
    Ok(listens)
}

fn next_port(addr: SocketAddr) -> SocketAddr {
    let port = if addr.port() == 0 { 0 } else { addr.port().wrapping_add(1) };
    SocketAddr::new(addr.ip(), port)
}

fn ready_line(server: &Server, ca_file: Option<&std::path::Path>) -> String {
    let of = |wanted: Origin| -> Vec<Value> {
        let urls = server.urls().into_iter().filter(|(origin, _)| *origin == wanted);
        urls.map(|(_, url)| Value::String(url)).collect()
    };
    let ready = json!({
        "ready": true,
        "api": of(Origin::Api),
        "storage": of(Origin::Storage),
        "management": server.management_url(),
        "ca_file": ca_file,
    });
    ready.to_string()
}

/// One line on stderr for each request, for ever.
fn print_requests(server: &Server) -> ! {
    let mut last = 0;
    loop {
        let Some(record) = server.wait_for_request(Duration::from_secs(3600), |record| record.number > last)
        else {
            continue;
        };
        last = record.number;
        eprintln!("{}", show::request(&json!(record)));
    }
}
