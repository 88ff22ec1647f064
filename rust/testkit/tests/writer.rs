// SPDX-License-Identifier: Apache-2.0
//! The writer against what the official tool wrote: the project's own fixtures, and `../shared/artifacts`
//! where present.

use std::path::{Path, PathBuf};

use mender_testkit::artifact::Artifact;
use mender_testkit::key::{Key, hex, sha256};
use mender_testkit::pem::unbase64;
use mender_testkit::tar::Meta;

const DEVICE: &str = "nucleo_l4a6zg";
/// When the input files changed last: 2024-01-02T03:04:05Z.
const INPUT_MTIME: u64 = 1_704_164_645;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Folders with `NN-*.mender`, `in/` and `keys/`.
fn sample_folders() -> Vec<PathBuf> {
    let own = project().join("tests/conformance/fixtures");
    let shared = project().join("../shared/artifacts");
    if shared.is_dir() {
        return vec![own, shared];
    }
    println!("skipped: no ../shared/artifacts; the fixtures in tests/conformance were read");
    vec![own]
}

struct Samples {
    folder: PathBuf,
}

impl Samples {
    fn read(&self, name: &str) -> Vec<u8> {
        let path = self.folder.join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn key(&self, name: &str) -> Key {
        Key::from_pem(&String::from_utf8(self.read(&format!("keys/{name}"))).unwrap()).unwrap()
    }

    /// The input file as root had it on disk.
    fn add(&self, artifact: Artifact, name: &str) -> Artifact {
        self.add_as(artifact, name, name)
    }

    fn add_as(&self, artifact: Artifact, name: &str, input: &str) -> Artifact {
        artifact.file_with(name, owned_by_root(0o644, INPUT_MTIME), self.read(&format!("in/{input}")))
    }

    fn module_image(&self, name: &str, input: &str) -> Artifact {
        self.add(Artifact::new(name, DEVICE), input)
    }
}

fn owned_by_root(mode: u32, mtime: u64) -> Meta {
    Meta { mode, mtime, uid: 0, gid: 0, uname: "root".into(), gname: "root".into() }
}

/// The time in the header of this member, at whatever depth.
fn mtime_of(sample: &[u8], name: &str) -> u64 {
    let field = format!("{name}\0");
    let header =
        sample.chunks(512).find(|block| block.starts_with(field.as_bytes())).expect("the member is there");
    u64::from_str_radix(std::str::from_utf8(&header[136..147]).unwrap(), 8).unwrap()
}

/// Seconds at which the tool made its temporary `header.tar`: the one input that no command line sets.
fn header_mtime(sample: &[u8]) -> u64 {
    mtime_of(sample, "header.tar")
}

/// Builds with the temporary files' time of `sample` and compares byte for byte.
fn assert_equals(name: &str, artifact: Artifact, sample: &[u8]) {
    let built = artifact.stored_as(owned_by_root(0o600, header_mtime(sample))).build();
    let first = built.iter().zip(sample).position(|(ours, theirs)| ours != theirs);
    assert_eq!((first, built.len()), (None, sample.len()), "{name}: first difference, length");
}

/// Name of the sample and what its command line says.
fn unsigned(samples: &Samples) -> Vec<(&'static str, Artifact)> {
    let small = |name: &str| samples.module_image(name, "small.bin");
    let several = ["exact512.bin", "second-file.dat"];
    let json = |name: &str| serde_json::from_slice(&samples.read(name)).unwrap();
    let long_file = format!("{}.bin", "l".repeat(120));
    let script = samples.read("in/ArtifactInstall_Enter_00");
    let configuration = "configuration-0f6a2c4e-0000-4000-8000-000000000001";
    let provides_depends = small("provdep-1.0").depends_name("none-1.0").depends_name("gzip-1.0");
    vec![
        ("01-none", samples.module_image("none-1.0", "zephyr.signed.bin")),
        (
            "11-provides-depends",
            provides_depends
                .depends_group("grpA")
                .depends_group("grpB")
                .group("grpA")
                .provides("zephyr.slot", "1")
                .provides("zephyr.board", "nucleo")
                .depends("rootfs-image.zephyr-image.version", "none-1.0")
                .depends("foo", "bar")
                .clears("zephyr.*"),
        ),
        (
            "12-script",
            small("script-1.0").script_with(
                "ArtifactInstall_Enter_00",
                owned_by_root(0o755, INPUT_MTIME),
                script,
            ),
        ),
        (
            "13-several-files",
            several.iter().fold(small("multi-1.0"), |artifact, name| samples.add(artifact, name)),
        ),
        ("15-meta-data", small("meta-1.0").meta_data(json("in/meta.json"))),
        ("16-no-files", Artifact::new("nofile-1.0", DEVICE)),
        ("17-empty-file", samples.module_image("emptyfile-1.0", "empty.bin")),
        ("18-two-device-types", small("twodev-1.0").device_type("mps2_an385")),
        ("19-software-filesystem", small("fsname-1.0").software("firmware", "zephyr-image", "1.2.3")),
        ("20-no-defaults", small("nodef-1.0").no_default_software_version().no_default_clears_provides()),
        (
            "21-rootfs-image-nochecksum",
            samples
                .module_image("rootfs-1.0", "zephyr.signed.bin")
                .payload_type("rootfs-image")
                .no_checksum_provide(),
        ),
        (
            "22-rootfs-image",
            samples.module_image("rootfs-1.1", "zephyr.signed.bin").payload_type("rootfs-image"),
        ),
        ("25-bootstrap", Artifact::new("bootstrap-1.0", DEVICE).bootstrap()),
        ("29-long-names", samples.add(Artifact::new(&"n".repeat(200), &"d".repeat(120)), "small.bin")),
        ("30-long-filename", samples.add_as(Artifact::new("longfile-1.0", DEVICE), &long_file, "small.bin")),
        ("31-unicode-name", samples.add(Artifact::new(r#"näme <&> "q" \ 1"#, "böard 1"), "small.bin")),
        (
            "35-mender-configure",
            Artifact::new(configuration, DEVICE)
                .payload_type("mender-configure")
                .no_default_software_version()
                .no_default_clears_provides()
                .provides("data-partition.mender-configure.version", configuration)
                .clears("data-partition.mender-configure.*")
                .meta_data(json("in/config.json")),
        ),
    ]
}

#[test]
fn unsigned_artifacts_equal_the_tools_byte_for_byte() {
    for folder in sample_folders() {
        let samples = Samples { folder };
        for (name, artifact) in unsigned(&samples) {
            assert_equals(name, artifact, &samples.read(&format!("{name}.mender")));
        }
    }
}

#[test]
fn an_artifact_of_the_tools_version_4_equals_byte_for_byte() {
    let samples = Samples { folder: project().join("../shared/artifacts") };
    if !samples.folder.is_dir() {
        println!("skipped: no ../shared/artifacts; the fixtures in tests/conformance were read");
        return;
    }
    assert_equals("40", samples.module_image("v44-none", "big.bin"), &samples.read("40-v44-none.mender"));
}

#[test]
fn large_user_and_group_numbers_get_the_tools_pax_headers() {
    for folder in sample_folders() {
        let samples = Samples { folder };
        let sample = samples.read("33-big-uid-pax.mender");
        let owned = |mode, name| {
            let mtime = mtime_of(&sample, name);
            Meta { mode, mtime, uid: 3_000_000, gid: 3_000_000, ..Meta::stream() }
        };
        let built = Artifact::new("biguid-1.0", DEVICE)
            .file_with("small.bin", owned(0o666, "small.bin"), samples.read("in/small.bin"))
            .stored_as(owned(0o600, "header.tar"))
            .build();
        assert_eq!(hex(&sha256(&built)), hex(&sha256(&sample)));
    }
}

#[test]
fn rsa_signed_artifacts_equal_the_tools_byte_for_byte() {
    for folder in sample_folders() {
        let samples = Samples { folder };
        for (sample, name, key) in [
            ("04-none-rsa2048", "rsa2048-1.0", "rsa2048.pem"),
            ("05-none-rsa3072", "rsa3072-1.0", "rsa3072.pem"),
        ] {
            let artifact = samples.module_image(name, "zephyr.signed.bin").sign(&samples.key(key));
            assert_equals(sample, artifact, &samples.read(&format!("{sample}.mender")));
        }
    }
}

#[test]
fn a_4096_bit_rsa_signature_equals_the_tools() {
    let samples = Samples { folder: project().join("tests/conformance/fixtures") };
    let artifact = samples.module_image("rsa4096-1.0", "small.bin").sign(&samples.key("rsa4096.pem"));
    assert_equals("36", artifact, &samples.read("36-none-rsa4096.mender"));
}

#[test]
fn ecdsa_signed_artifacts_equal_the_tools_but_for_the_random_signature_and_both_verify() {
    for folder in sample_folders() {
        let samples = Samples { folder };
        let key = samples.key("p256.pem");
        let artifact = samples.module_image("p256-1.0", "zephyr.signed.bin").sign(&key);
        let sample = samples.read("06-none-p256.mender");
        let artifact = artifact.stored_as(owned_by_root(0o600, header_mtime(&sample)));
        let manifest = artifact.raw().manifest().to_vec();
        let mut built = artifact.build();
        // version and manifest take two blocks each; the signature's content follows its header.
        let signature = 5 * 512..5 * 512 + 88;
        for bytes in [&built, &sample] {
            let text = std::str::from_utf8(&bytes[signature.clone()]).unwrap();
            assert!(key.verify(&manifest, &unbase64(text).unwrap()));
        }
        built[signature.clone()].copy_from_slice(&sample[signature]);
        assert_eq!(hex(&sha256(&built)), hex(&sha256(&sample)));
    }
}
