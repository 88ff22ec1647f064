// SPDX-License-Identifier: Apache-2.0
//! Writes Mender artifacts, format version 3.
//!
//! The same inputs give the same bytes as `mender-artifact write module-image`, `rootfs-image` and
//! `bootstrap-artifact` with `--compression none`; ECDSA signatures are random and so differ. With gzip the
//! content is the same, the compressed bytes are not.
//!
//! Source: Mender artifact format, version 3.

use std::collections::BTreeMap;

use crate::json;
use crate::key::{Key, hex, sha256};
use crate::raw::{Compression, Raw};
use crate::tar::{Meta, Tar};

const ROOTFS_IMAGE: &str = "rootfs-image";

/// What goes into an artifact. Every method adds to it and hands it on; [`Artifact::build`] writes it.
///
/// ```
/// use mender_testkit::artifact::Artifact;
/// let bytes = Artifact::new("release-2", "board")
///     .payload_type("zephyr-image")
///     .file("zephyr.signed.bin", [0; 4096])
///     .depends("hardware.revision", "b")
///     .build();
/// assert_eq!(&bytes[..7], b"version");
/// ```
#[derive(Clone, Debug)]
pub struct Artifact {
    pub(crate) name: String,
    pub(crate) group: Option<String>,
    pub(crate) device_types: Vec<String>,
    pub(crate) depends_names: Vec<String>,
    pub(crate) depends_groups: Vec<String>,
    pub(crate) payload_type: Option<String>,
    pub(crate) provides: BTreeMap<String, String>,
    pub(crate) depends: BTreeMap<String, String>,
    pub(crate) clears: Vec<String>,
    pub(crate) software: Option<(String, String, String)>,
    pub(crate) default_software_version: bool,
    pub(crate) default_clears_provides: bool,
    pub(crate) checksum_provide: bool,
    pub(crate) meta_data: Option<serde_json::Value>,
    pub(crate) scripts: Vec<(String, Meta, Vec<u8>)>,
    pub(crate) files: Vec<(String, Meta, Vec<u8>)>,
    store: Meta,
    pub(crate) key: Option<Key>,
    pub(crate) compression: Compression,
}

impl Artifact {
    /// An artifact of payload type `zephyr-image` without files for one device type.
    pub fn new(name: &str, device_type: &str) -> Self {
        Self {
            name: name.into(),
            group: None,
            device_types: vec![device_type.into()],
            depends_names: Vec::new(),
            depends_groups: Vec::new(),
            payload_type: Some("zephyr-image".into()),
            provides: BTreeMap::new(),
            depends: BTreeMap::new(),
            clears: Vec::new(),
            software: None,
            default_software_version: true,
            default_clears_provides: true,
            checksum_provide: true,
            meta_data: None,
            scripts: Vec::new(),
            files: Vec::new(),
            store: Meta::stream(),
            key: None,
            compression: Compression::None,
        }
    }

    /// Sets the payload type. `rootfs-image` gets what `mender-artifact write rootfs-image` adds.
    #[must_use]
    pub fn payload_type(mut self, payload_type: &str) -> Self {
        self.payload_type = Some(payload_type.into());
        self
    }

    /// Makes it an empty payload (`"type": null`), as `mender-artifact write bootstrap-artifact` does.
    #[must_use]
    pub fn bootstrap(mut self) -> Self {
        self.payload_type = None;
        self.no_default_software_version().no_default_clears_provides()
    }

    /// Adds a compatible device type.
    #[must_use]
    pub fn device_type(mut self, device_type: &str) -> Self {
        self.device_types.push(device_type.into());
        self
    }

    /// Adds a payload file of nobody, mode 0644, from 1970.
    #[must_use]
    pub fn file(self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.file_with(name, Meta::file(), content)
    }

    /// Adds a payload file with this metadata.
    #[must_use]
    pub fn file_with(mut self, name: &str, meta: Meta, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.into(), meta, content.into()));
        self
    }

    /// Adds a state script with this metadata.
    #[must_use]
    pub fn script_with(mut self, name: &str, meta: Meta, content: impl Into<Vec<u8>>) -> Self {
        self.scripts.push((name.into(), meta, content.into()));
        self
    }

    /// Adds a pair to `artifact_provides` of the payload.
    #[must_use]
    pub fn provides(mut self, key: &str, value: &str) -> Self {
        self.provides.insert(key.into(), value.into());
        self
    }

    /// Adds a pair to `artifact_depends` of the payload.
    #[must_use]
    pub fn depends(mut self, key: &str, value: &str) -> Self {
        self.depends.insert(key.into(), value.into());
        self
    }

    /// Requires one of the artifact names added here to be installed.
    #[must_use]
    pub fn depends_name(mut self, name: &str) -> Self {
        self.depends_names.push(name.into());
        self
    }

    /// Requires the device to be in one of the groups added here.
    #[must_use]
    pub fn depends_group(mut self, group: &str) -> Self {
        self.depends_groups.push(group.into());
        self
    }

    /// Sets the group the artifact provides.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Adds a glob to `clears_artifact_provides`.
    #[must_use]
    pub fn clears(mut self, glob: &str) -> Self {
        self.clears.push(glob.into());
        self
    }

    /// Names the software version provided: `<filesystem>.<name>.version` = `version`.
    /// Without it: `rootfs-image.<payload type>.version` = the artifact's name.
    #[must_use]
    pub fn software(mut self, filesystem: &str, name: &str, version: &str) -> Self {
        self.software = Some((filesystem.into(), name.into(), version.into()));
        self
    }

    /// Provides no software version unless asked to; nothing is cleared by default then, either.
    #[must_use]
    pub fn no_default_software_version(mut self) -> Self {
        self.default_software_version = false;
        self
    }

    /// Clears no provides unless asked to.
    #[must_use]
    pub fn no_default_clears_provides(mut self) -> Self {
        self.default_clears_provides = false;
        self
    }

    /// Leaves `rootfs-image.checksum` out of a `rootfs-image`.
    #[must_use]
    pub fn no_checksum_provide(mut self) -> Self {
        self.checksum_provide = false;
        self
    }

    /// Adds meta-data for the update module; it is stored minified with sorted keys.
    #[must_use]
    pub fn meta_data(mut self, value: serde_json::Value) -> Self {
        self.meta_data = Some(value);
        self
    }

    /// Sets the metadata of the members `header.tar` and `data/0000.tar`.
    #[must_use]
    pub fn stored_as(mut self, meta: Meta) -> Self {
        self.store = meta;
        self
    }

    /// Signs the manifest.
    #[must_use]
    pub fn sign(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Sets how `header.tar` and `data/0000.tar` are stored.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The artifact as bytes.
    pub fn build(&self) -> Vec<u8> {
        self.raw().bytes()
    }

    /// The artifact taken apart, for variants the tool would never write.
    pub fn raw(&self) -> Raw {
        let mut header = Tar::new();
        header.push_stream("header-info", self.header_info());
        for (name, meta, content) in &self.scripts {
            header.push_file(&format!("scripts/{name}"), meta, content.as_slice());
        }
        header.push_stream("headers/0000/type-info", self.type_info());
        if let Some(meta_data) = &self.meta_data {
            header.push_stream("headers/0000/meta-data", json::minify(meta_data));
        } else if self.is_rootfs_image() {
            header.push_stream("headers/0000/meta-data", []);
        }
        let mut data = Tar::new();
        for (name, meta, content) in &self.files {
            data.push_file(name, meta, content.as_slice());
        }
        Raw::new(header, data, self.store.clone(), self.key.clone(), self.compression)
    }

    fn is_rootfs_image(&self) -> bool {
        self.payload_type.as_deref() == Some(ROOTFS_IMAGE)
    }

    fn type_json(&self) -> String {
        self.payload_type.as_deref().map_or_else(|| "null".into(), json::string)
    }

    fn header_info(&self) -> String {
        let mut provides = vec![("artifact_name", json::string(&self.name))];
        if let Some(group) = &self.group {
            provides.push(("artifact_group", json::string(group)));
        }
        let mut depends = Vec::new();
        if !self.depends_names.is_empty() {
            depends.push(("artifact_name", json::strings(&self.depends_names)));
        }
        depends.push(("device_type", json::strings(&self.device_types)));
        if !self.depends_groups.is_empty() {
            depends.push(("artifact_group", json::strings(&self.depends_groups)));
        }
        let payload = json::object([("type", self.type_json())]);
        json::object([
            ("payloads", format!("[{payload}]")),
            ("artifact_provides", json::object(provides)),
            ("artifact_depends", json::object(depends)),
        ])
    }

    fn type_info(&self) -> String {
        // The tool leaves the type of a rootfs-image empty here; readers know.
        let type_json = if self.is_rootfs_image() { "\"\"".into() } else { self.type_json() };
        let mut members = vec![("type", type_json)];
        if !self.depends.is_empty() {
            members.push(("artifact_depends", pairs(&self.depends)));
        }
        let provides = self.all_provides();
        if !provides.is_empty() {
            members.push(("artifact_provides", pairs(&provides)));
        }
        let clears = self.all_clears();
        if !clears.is_empty() {
            members.push(("clears_artifact_provides", json::strings(&clears)));
        }
        json::object(members)
    }

    /// The part before `.version` of the software version's key.
    fn software_prefix(&self) -> String {
        match (&self.software, &self.payload_type) {
            (Some((filesystem, name, _)), _) => format!("{filesystem}.{name}"),
            (None, Some(payload_type)) if payload_type != ROOTFS_IMAGE => {
                format!("{ROOTFS_IMAGE}.{payload_type}")
            }
            (None, _) => ROOTFS_IMAGE.into(),
        }
    }

    fn all_provides(&self) -> BTreeMap<String, String> {
        let mut provides = self.provides.clone();
        if let Some((_, _, version)) = &self.software {
            provides.insert(format!("{}.version", self.software_prefix()), version.clone());
        } else if self.default_software_version {
            provides.insert(format!("{}.version", self.software_prefix()), self.name.clone());
        }
        if let (true, true, Some((_, _, image))) =
            (self.is_rootfs_image(), self.checksum_provide, self.files.first())
        {
            provides.insert(format!("{ROOTFS_IMAGE}.checksum"), hex(&sha256(image)));
        }
        provides
    }

    fn all_clears(&self) -> Vec<String> {
        let mut clears = self.clears.clone();
        if self.default_clears_provides && self.default_software_version {
            if self.software_prefix() == ROOTFS_IMAGE {
                clears.extend(["artifact_group".into(), "rootfs_image_checksum".into()]);
            }
            clears.push(format!("{}.*", self.software_prefix()));
        }
        clears
    }
}

fn pairs(map: &BTreeMap<String, String>) -> String {
    json::object(map.iter().map(|(key, value)| (key.as_str(), json::string(value))))
}
