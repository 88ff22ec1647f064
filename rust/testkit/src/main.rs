// SPDX-License-Identifier: Apache-2.0
//! `mender-testkit`: images, artifacts and keys for tests and demos from the command line.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use mender_testkit::artifact::Artifact;
use mender_testkit::image::{Behaviour, Image, Version};
use mender_testkit::key::Key;
use mender_testkit::raw::Compression;
use mender_testkit::tool::{self, Tool};

const HELP: &str = "\
Makes images, artifacts and keys for tests and demos.

mender-testkit image --version V -o FILE
    An image in MCUboot's format for the simulated device.
    --version V            1.2.3 or 1.2.3+4
    --behaviour B          fine (default), fails-self-test, hangs or never-reaches-server
    --size BYTES           size of the whole image (16384)
    --header-size BYTES    size of the header area (512)
    --security-counter N   adds a protected TLV
    --key FILE             signs with this P-256 key

mender-testkit artifact --name N --device-type T... -o FILE
    A Mender artifact. The options are those of `mender-artifact write module-image`.
    --type T               payload type (zephyr-image); rootfs-image gets what that tool adds
    --bootstrap            an empty payload
    --file, -f FILE        payload file; can be repeated
    --provides, -p K:V     can be repeated
    --depends, -d K:V      can be repeated
    --clears-provides G    can be repeated
    --provides-group, -g G
    --artifact-name-depends, -N NAME    can be repeated
    --depends-groups, -G GROUP          can be repeated
    --software-filesystem F, --software-name N, --software-version V
    --no-default-software-version, --no-default-clears-provides
    --meta-data, -m FILE   JSON for the update module
    --compression C        none (default) or gzip
    --key, -k FILE         signs with this RSA or P-256 key
    --tool T               official (mender-artifact), own, or auto (default): official where installed

mender-testkit keygen -o FILE [--public FILE]
    A P-256 key pair in PEM.
";

/// Option names that take a value, with their short forms.
const VALUES: &[(&str, &str)] = &[
    ("--version", ""),
    ("--behaviour", ""),
    ("--size", ""),
    ("--header-size", ""),
    ("--security-counter", ""),
    ("--key", "-k"),
    ("--output-path", "-o"),
    ("--name", "-n"),
    ("--device-type", "-t"),
    ("--type", "-T"),
    ("--file", "-f"),
    ("--provides", "-p"),
    ("--depends", "-d"),
    ("--clears-provides", ""),
    ("--provides-group", "-g"),
    ("--artifact-name-depends", "-N"),
    ("--depends-groups", "-G"),
    ("--software-filesystem", ""),
    ("--software-name", ""),
    ("--software-version", ""),
    ("--meta-data", "-m"),
    ("--compression", ""),
    ("--tool", ""),
    ("--public", ""),
];

const FLAGS: &[&str] = &["--bootstrap", "--no-default-software-version", "--no-default-clears-provides"];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    if ["", "help", "-h", "--help"].contains(&command.as_str()) {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let outcome = Options::parse(words).and_then(|options| match command.as_str() {
        "image" => image(&options),
        "artifact" => artifact(&options),
        "keygen" => keygen(&options),
        other => Err(format!("unknown command `{other}`; see --help").into()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mender-testkit: {error}");
            ExitCode::FAILURE
        }
    }
}

fn image(options: &Options) -> Outcome<()> {
    let version = options.required("--version")?;
    let version =
        Version::parse(version).ok_or_else(|| format!("`{version}` is not like 1.2.3 or 1.2.3+4"))?;
    let behaviour = options.one("--behaviour").unwrap_or("fine");
    let behaviour =
        Behaviour::from_word(behaviour).ok_or_else(|| format!("unknown behaviour `{behaviour}`"))?;
    let mut image = Image::new(version, behaviour);
    if let Some(size) = options.one("--size") {
        image = image.size(size.parse()?);
    }
    if let Some(size) = options.one("--header-size") {
        image = image.header_size(size.parse()?);
    }
    if let Some(counter) = options.one("--security-counter") {
        image = image.security_counter(counter.parse()?);
    }
    if let Some(key) = options.key()? {
        if !key.is_p256() {
            return Err("images are signed with P-256 keys".into());
        }
        image = image.sign(&key);
    }
    write(options.required("--output-path")?, &image.build())
}

fn artifact(options: &Options) -> Outcome<()> {
    let device_types: Vec<_> = options.all("--device-type").collect();
    let (first, others) = device_types.split_first().ok_or("--device-type is missing")?;
    let name = options.required("--name")?;
    let mut artifact = Artifact::new(name, first);
    artifact = others.iter().fold(artifact, |artifact, value| artifact.device_type(value));
    artifact = payload(artifact, name, options)?;
    artifact = options.all("--clears-provides").fold(artifact, Artifact::clears);
    artifact = options.all("--artifact-name-depends").fold(artifact, Artifact::depends_name);
    artifact = options.all("--depends-groups").fold(artifact, Artifact::depends_group);
    artifact = options.all("--provides-group").fold(artifact, Artifact::group);
    for pair in options.all("--provides") {
        let (key, value) = pair.split_once(':').ok_or_else(|| format!("`{pair}` is not KEY:VALUE"))?;
        artifact = artifact.provides(key, value);
    }
    for pair in options.all("--depends") {
        let (key, value) = pair.split_once(':').ok_or_else(|| format!("`{pair}` is not KEY:VALUE"))?;
        artifact = artifact.depends(key, value);
    }
    if let Some(key) = options.key()? {
        artifact = artifact.sign(&key);
    }
    artifact = match options.one("--compression") {
        None | Some("none") => artifact,
        Some("gzip") => artifact.compression(Compression::Gzip),
        Some(other) => return Err(format!("unknown compression `{other}`").into()),
    };
    let tool = match options.one("--tool") {
        None | Some("auto") => Tool::Auto,
        Some("official") => Tool::Official,
        Some("own") => Tool::Own,
        Some(other) => return Err(format!("unknown tool `{other}`").into()),
    };
    let (bytes, official) = tool::build(&artifact, tool)?;
    let path = options.required("--output-path")?;
    write(path, &bytes)?;
    println!("{path}: written by {}", if official { tool::MENDER_ARTIFACT } else { "mender-testkit" });
    Ok(())
}

/// Adds payload type, files, meta-data and the software version.
fn payload(mut artifact: Artifact, name: &str, options: &Options) -> Outcome<Artifact> {
    let payload_type = options.one("--type").unwrap_or("zephyr-image");
    artifact = artifact.payload_type(payload_type);
    if options.has("--bootstrap") {
        artifact = artifact.bootstrap();
    }
    for path in options.all("--file") {
        let file_name = Path::new(path).file_name().and_then(|name| name.to_str());
        let file_name = file_name.ok_or_else(|| format!("`{path}` is not a file name"))?;
        artifact = artifact.file(file_name, read(path)?);
    }
    if let Some(path) = options.one("--meta-data") {
        artifact = artifact.meta_data(serde_json::from_slice(&read(path)?)?);
    }
    if options.has("--no-default-software-version") {
        artifact = artifact.no_default_software_version();
    }
    if options.has("--no-default-clears-provides") {
        artifact = artifact.no_default_clears_provides();
    }
    let software =
        ["--software-filesystem", "--software-name", "--software-version"].map(|key| options.one(key));
    if let [filesystem, software_name, version] = software
        && software.iter().any(Option::is_some)
    {
        let filesystem = filesystem.unwrap_or("rootfs-image");
        artifact =
            artifact.software(filesystem, software_name.unwrap_or(payload_type), version.unwrap_or(name));
    }
    Ok(artifact)
}

fn keygen(options: &Options) -> Outcome<()> {
    let key = Key::generate();
    if let Some(path) = options.one("--public") {
        write(path, key.public_pem().as_bytes())?;
    }
    write(options.required("--output-path")?, key.private_pem().as_bytes())
}

fn read(path: &str) -> Outcome<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{path}: {error}").into())
}

fn write(path: &str, bytes: &[u8]) -> Outcome<()> {
    fs::write(path, bytes).map_err(|error| format!("{path}: {error}").into())
}

/// The options of a command line under their long names.
struct Options {
    values: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self { values: Vec::new(), flags: Vec::new() };
        while let Some(word) = words.next() {
            if let Some(flag) = FLAGS.iter().find(|flag| **flag == word) {
                options.flags.push(flag);
                continue;
            }
            let known =
                VALUES.iter().find(|(long, short)| *long == word || (*short == word && !word.is_empty()));
            let (long, _) = known.ok_or_else(|| format!("unknown option `{word}`; see --help"))?;
            options.values.push((long, words.next().ok_or_else(|| format!("`{word}` needs a value"))?));
        }
        Ok(options)
    }

    fn all(&self, long: &str) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(key, _)| *key == long).map(|(_, value)| value.as_str())
    }

    fn one(&self, long: &str) -> Option<&str> {
        self.all(long).last()
    }

    fn required(&self, long: &str) -> Outcome<&str> {
        self.one(long).ok_or_else(|| format!("{long} is missing").into())
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    fn key(&self) -> Outcome<Option<Key>> {
        let Some(path) = self.one("--key") else { return Ok(None) };
        let text = String::from_utf8(read(path)?)?;
        Ok(Some(Key::from_pem(&text).map_err(|error| format!("{path}: {error}"))?))
    }
}
