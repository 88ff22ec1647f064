// SPDX-License-Identifier: Apache-2.0
//! The official Linux client (Debian's `mender-client` 3.4), unmodified, against this server: authentication, inventory and
//! one update. Where the client is not installed, one line says so.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mender_server::{AuthStatus, Config, DeploymentSpec, Server};

const UPDATE: &[u8] = include_bytes!("fixtures/single-file.mender");
const SHARE: &str = "/usr/share/mender";
const PATIENCE: Duration = Duration::from_secs(60);

/// The client's folders, and the client while it runs.
struct Client {
    folder: PathBuf,
    process: Option<Child>,
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().and_then(|()| process.wait().map(drop)).expect("the client ends");
        }
        fs::remove_dir_all(&self.folder).expect("the client's folder is removed");
    }
}

fn write(file: &Path, text: &str, mode: u32) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

impl Client {
    /// Folders that will stand for /etc/mender, /var/lib/mender and /usr/share/mender.
    fn new(server: &Server, name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("mender-official-client-{name}-{}", std::process::id()));
        let url = server.api_url().replace("127.0.0.1", "localhost");
        let config = serde_json::json!({
            "ServerURL": url,
            "ServerCertificate": "/etc/mender/ca.pem",
            "TenantToken": "the-tenant",
            "DeviceTypeFile": "/etc/mender/device_type",
            "UpdatePollIntervalSeconds": 1,
            "InventoryPollIntervalSeconds": 1,
            "RetryPollIntervalSeconds": 1,
            "DBus": {"Enabled": false},
        });
        let etc = folder.join("etc");
        write(&etc.join("mender.conf"), &config.to_string(), 0o600);
        write(&etc.join("ca.pem"), server.ca_pem(), 0o644);
        write(&etc.join("device_type"), "device_type=official-client\n", 0o644);
        write(&etc.join("artifact_info"), "artifact_name=release-1\n", 0o644);
        // Debian ships /var/lib/mender as a link to a data partition, which cannot be mounted upon: take its parent.
        fs::create_dir_all(folder.join("var/mender")).unwrap();
        let share = folder.join("share");
        write(
            &share.join("identity/mender-device-identity"),
            "#!/bin/sh\necho mac=02:00:00:00:00:01\n",
            0o755,
        );
        write(&share.join("inventory/mender-inventory-test"), "#!/bin/sh\necho greeting=hello\n", 0o755);
        let module = fs::read_to_string(format!("{SHARE}/modules/v3/single-file")).unwrap();
        write(&share.join("modules/v3/single-file"), &module, 0o755);
        Self { folder, process: None }
    }

    /// Runs the client's daemon in a mount namespace of its own, where its three fixed folders are ours.
    fn start(&mut self) {
        let script = "mount --bind $0/etc /etc/mender && mount --bind $0/var /var/lib \
                      && mount --bind $0/share /usr/share/mender && exec mender --no-syslog -l info daemon";
        let log = fs::File::create(self.folder.join("log")).unwrap();
        let child = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", script])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(child);
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn may_mount() -> bool {
    let probe =
        Command::new("unshare").args(["--map-root-user", "--mount", "true"]).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

/// False, with one line that says so, where the client cannot be run.
fn can_run() -> bool {
    let reason = if !is_installed("mender") || !Path::new(SHARE).join("modules/v3/single-file").is_file() {
        "no mender-client (apt install mender-client)"
    } else if !may_mount() {
        "mender-client cannot be given folders of its own here (unshare is not permitted)"
    } else {
        return true;
    };
    println!("skipped: {reason}");
    false
}

#[test]
fn the_official_client_authenticates_sends_inventory_and_completes_an_update() {
    if can_run() {
        // As hosted servers answer the update check, and as open-source ones do.
        update("v2", true);
        update("v1", false);
    }
}

fn update(name: &str, deployments_v2: bool) {
    let config = Config {
        accept_all: false,
        tenant_token: Some("the-tenant".to_owned()),
        chunked_uploads: true,
        deployments_v2,
        ..Config::https()
    };
    let server = Server::start(config).unwrap();
    let mut client = Client::new(&server, name);
    client.start();

    // It is pending at first, and is accepted by its identity.
    let device = server.wait_for_device(PATIENCE, |device| device.status == AuthStatus::Pending);
    let device = device.unwrap_or_else(|| panic!("no authentication request:\n{}", client.log()));
    assert_eq!(device.identity, r#"{"mac":"02:00:00:00:00:01"}"#);
    server.accept("02:00:00:00:00:01").unwrap();
    let device = server.wait_for_device(PATIENCE, |device| device.inventory_updates > 0);
    let device = device.unwrap_or_else(|| panic!("no inventory:\n{}", client.log()));
    assert_eq!(device.inventory["greeting"], "hello");
    assert_eq!(device.inventory["artifact_name"], "release-1");
    assert_eq!(device.inventory["device_type"], "official-client");

    server.upload(UPDATE).unwrap();
    let id = server.deploy(DeploymentSpec::device("release-2", &device.id)).unwrap();
    let deployment = server.wait_for_deployment(&id, PATIENCE, |deployment| deployment.finished);
    let deployment = deployment.unwrap_or_else(|| panic!("no end of the deployment:\n{}", client.log()));
    let entry = &deployment.devices[&device.id];
    assert_eq!(entry.status, "success", "{}", client.log());
    assert_eq!(entry.final_statuses(), ["success"]);
    assert_eq!(entry.statuses().first(), Some(&"downloading"));
    let installed = fs::read_to_string(client.folder.join("var/mender/updated/greeting.txt")).unwrap();
    assert_eq!(installed, "hello from the update\n");

    // It says so in its inventory, and every request was taken as it came.
    let told = server.wait_for_device(PATIENCE, |device| device.inventory["artifact_name"] == "release-2");
    assert!(told.is_some(), "{}", client.log());
    println!("official client, {name}: {:?}", entry.statuses());
    for record in server.requests() {
        println!("{} {} {}", record.status, record.method, record.path());
        let absent = record.status == 404 && record.path().starts_with("/api/devices/v2/") && !deployments_v2;
        assert!(absent || [200, 204, 401].contains(&record.status), "{record:?}\n{}", client.log());
    }
}
