// SPDX-License-Identifier: Apache-2.0
//! What the device is to go through: updates good and bad, and the hardware they happen on.

use std::rc::Rc;

use mender_sim::Layout;
use mender_sim::mcuboot::Mode;
use mender_testkit::artifact::Artifact;
use mender_testkit::image::{Behaviour, Image, Version};

use crate::modules::FILES;
use crate::plan::NetFault;
use crate::server::Release;

/// What a deployment brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// An image that behaves like this.
    Image(Behaviour),
    /// An image of which a byte is not what the artifact's manifest says.
    Corrupt,
    /// An image that was damaged before its artifact was made of it: all is well but for MCUboot.
    Unbootable,
    /// The image that runs already.
    Same,
    /// A file for the update module, and what it makes that do.
    Module(&'static str),
    /// Nothing but a name and what it provides.
    Empty,
}

/// One deployment of a story.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it brings.
    pub payload: Payload,
    /// It succeeds when nothing goes wrong from outside; else it fails, whatever happens.
    pub good: bool,
    /// The user aborts it when this report comes in, counted from 1.
    pub abort_at_report: Option<usize>,
    /// What the log says of why it failed.
    pub reason: &'static str,
}

impl Step {
    /// Its image is bad, and that shows when it is to run: the same image is not tried again.
    #[must_use]
    pub fn proves_bad(&self) -> bool {
        !self.good && matches!(self.payload, Payload::Image(_) | Payload::Unbootable)
    }
}

/// Records of a newer firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newer {
    /// None: all firmware writes the same format.
    None,
    /// Both copies are in a newer format, which the old firmware copes with.
    All,
    /// The last one is in a format which the old firmware cannot read.
    OneForbidden,
}

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// Its name on command lines.
    pub name: &'static str,
    /// Its deployments, one after the other. A good one follows by itself.
    pub steps: &'static [Step],
    /// The device is switched on for the first time, and has no key.
    pub fresh: bool,
    /// What new firmware writes, which the old one finds after it was swapped back.
    pub newer_records: Newer,
    /// The application defers every question twice.
    pub defers: bool,
    /// What always goes wrong on the network.
    pub faults: &'static [NetFault],
    /// Short enough for a second cut at every operation.
    pub short: bool,
}

const fn good(payload: Payload) -> Step {
    Step { payload, good: true, abort_at_report: None, reason: "" }
}

/// With what the log must say of it where nothing else goes wrong.
const fn bad(payload: Payload, reason: &'static str) -> Step {
    Step { payload, good: false, abort_at_report: None, reason }
}

const fn aborted(payload: Payload, report: usize) -> Step {
    Step { payload, good: true, abort_at_report: Some(report), reason: "" }
}

const fn story(name: &'static str, steps: &'static [Step]) -> Story {
    Story { name, steps, fresh: false, newer_records: Newer::None, defers: false, faults: &[], short: false }
}

const FINE: Payload = Payload::Image(Behaviour::Fine);
const UNBOOTABLE: Step = bad(Payload::Unbootable, "refused by the boot loader");
const SELF_TEST: &str = "self-test of the new firmware failed";
const UNREACHABLE: &str = "cannot reach the server";
const CORRUPT: &str = "wrong checksum of a payload file";
const MODULE: &str = "update module failed";
const INTERRUPTED: &str = "interrupted by a restart";
const FAILS: Payload = Payload::Image(Behaviour::FailsSelfTest);

/// All scenarios.
pub const STORIES: [Story; 28] = [
    Story { short: true, ..story("good", &[good(FINE)]) },
    Story { short: true, ..story("bad-self-test", &[bad(FAILS, SELF_TEST)]) },
    Story {
        short: true,
        ..story("hangs", &[bad(Payload::Image(Behaviour::Hangs), "reverted by the boot loader")])
    },
    story("unreachable", &[bad(Payload::Image(Behaviour::NeverReachesServer), UNREACHABLE)]),
    story("corrupt", &[bad(Payload::Corrupt, CORRUPT)]),
    Story { short: true, ..story("unbootable", &[UNBOOTABLE]) },
    story("abort-downloading", &[aborted(FINE, 1)]),
    story("abort-installing", &[aborted(FINE, 2)]),
    story("abort-rebooting", &[aborted(FINE, 3)]),
    Story { short: true, ..story("abort-probe", &[aborted(FINE, 4)]) },
    story("abort-success", &[aborted(FINE, 5)]),
    Story { short: true, ..story("module", &[good(Payload::Module("x"))]) },
    Story { short: true, ..story("module-reboot", &[good(Payload::Module("reboot"))]) },
    story("module-fails", &[bad(Payload::Module("fail ArtifactInstall"), MODULE)]),
    story("module-unfit", &[bad(Payload::Module("reboot\nfail ArtifactVerifyReboot"), MODULE)]),
    story("module-resets", &[bad(Payload::Module("reset ArtifactInstall"), INTERRUPTED)]),
    story(
        "module-loops",
        &[bad(Payload::Module("reset ArtifactInstall\nreset ArtifactRollback"), "update loop detected")],
    ),
    story("module-stays", &[bad(Payload::Module("no-rollback\nreboot\nfail ArtifactVerifyReboot"), MODULE)]),
    story(
        "module-stuck",
        &[bad(Payload::Module("reboot\nfail ArtifactVerifyReboot\nfail ArtifactRollback"), MODULE)],
    ),
    Story { defers: true, ..story("defers", &[good(FINE)]) },
    Story { defers: true, ..story("abort-pause", &[aborted(FINE, 2)]) },
    Story { short: true, ..story("empty", &[good(Payload::Empty)]) },
    story("same-image", &[good(Payload::Same)]),
    story("second", &[bad(FAILS, SELF_TEST), good(FINE)]),
    Story { faults: &[NetFault::CutReply(9_000)], ..story("resume", &[good(FINE)]) },
    Story { fresh: true, ..story("first-boot", &[good(FINE)]) },
    Story { newer_records: Newer::All, ..story("newer-records", &[bad(FAILS, SELF_TEST), good(FINE)]) },
    Story {
        newer_records: Newer::OneForbidden,
        ..story("forbidden-record", &[bad(FAILS, SELF_TEST), good(FINE)])
    },
];

/// The scenario of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Story> {
    STORIES.iter().find(|story| story.name == name)
}

/// A scenario on hardware: all that is the same for every run of it.
pub struct Setup {
    /// The scenario.
    pub story: &'static Story,
    /// How MCUboot upgrades.
    pub mode: Mode,
    /// The flash.
    pub layout: Layout,
    /// The artifacts: the one the device was made with, one for each step, and the one that follows.
    pub releases: Vec<Release>,
    /// Their images, where they have one.
    pub images: Vec<Option<Vec<u8>>>,
    /// What is delivered of each.
    pub payloads: Vec<Payload>,
}

/// Words for MCUboot's modes.
pub const MODES: [(&str, Mode); 4] = [
    ("scratch", Mode::SwapUsingScratch),
    ("move", Mode::SwapUsingMove),
    ("offset", Mode::SwapUsingOffset),
    ("overwrite", Mode::OverwriteOnly),
];

/// The flash of that geometry: just large enough.
#[must_use]
pub fn layout(page_size: u32, granule: u32) -> Layout {
    let record_size = 2048;
    let mut layout =
        Layout { page_size, granule, slot_size: page_size, scratch_size: page_size, record_size };
    // Image, a page to move things through, trailer.
    let pages = (image_size(page_size) as u32).div_ceil(page_size) + 1;
    for trailer_pages in 1..8 {
        layout.slot_size = (pages + trailer_pages) * page_size;
        if layout.trailer_pages_size() <= trailer_pages * page_size {
            break;
        }
    }
    layout
}

/// Three small pages, or two large ones.
fn image_size(page_size: u32) -> usize {
    if page_size <= 1024 { 2700 } else { page_size as usize + 700 }
}

impl Setup {
    /// Makes the artifacts of a scenario.
    ///
    /// # Panics
    /// Never: images and artifacts are well-formed.
    #[must_use]
    pub fn new(story: &'static Story, mode: Mode, layout: Layout) -> Rc<Self> {
        let size = image_size(layout.page_size);
        let image = |number: usize, behaviour| {
            let version = Version::parse(&format!("{number}.0.0")).expect("a version");
            Image::new(version, behaviour).header_size(64).size(size - 16 * (number % 4)).build()
        };
        let first = image(1, Behaviour::Fine);
        let mut setup = Self {
            story,
            mode,
            layout,
            releases: vec![Release { name: "release-1".to_owned(), bytes: Rc::from([]) }],
            images: vec![Some(first.clone())],
            payloads: vec![FINE],
        };
        let steps = story.steps.iter().map(|step| step.payload);
        for payload in steps.chain([FINE]) {
            let number = setup.releases.len() + 1;
            let name = format!("release-{number}");
            let artifact = Artifact::new(&name, "sim")
                .provides("build", &number.to_string())
                .no_default_software_version()
                .no_default_clears_provides()
                .no_checksum_provide();
            let new = match payload {
                Payload::Image(behaviour) => Some(image(number, behaviour)),
                Payload::Corrupt => Some(image(number, Behaviour::Fine)),
                Payload::Unbootable => {
                    let mut image = image(number, Behaviour::Fine);
                    image[1024] ^= 0x10;
                    Some(image)
                }
                Payload::Same => Some(first.clone()),
                Payload::Module(_) | Payload::Empty => None,
            };
            let artifact = match (&new, payload) {
                (Some(image), _) => artifact.file("zephyr.signed.bin", image.clone()),
                (None, Payload::Module(does)) => {
                    artifact.payload_type(FILES).file("f", format!("{name}\n{does}\n"))
                }
                (None, _) => artifact.bootstrap(),
            };
            let mut bytes = artifact.build();
            let at = new.as_ref().and_then(|image| bytes.windows(64).rposition(|w| *w == image[1024..1088]));
            if let (Payload::Corrupt, Some(at)) = (payload, at) {
                bytes[at] ^= 0x10;
            }
            setup.releases.push(Release { name, bytes: bytes.into() });
            setup.images.push(new.filter(|_| payload != Payload::Corrupt));
            setup.payloads.push(payload);
        }
        Rc::new(setup)
    }

    /// `story/mode/page x granule`.
    #[must_use]
    pub fn name(&self) -> String {
        let mode = MODES.iter().find(|(_, mode)| *mode == self.mode).map_or("?", |(word, _)| word);
        format!("{}/{mode}/{}x{}", self.story.name, self.layout.page_size, self.layout.granule)
    }

    /// The setup of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Rc<Self>> {
        let mut parts = name.split('/');
        let story = find(parts.next()?)?;
        let word = parts.next()?;
        let (_, mode) = MODES.iter().find(|(known, _)| *known == word)?;
        let (page, granule) = parts.next()?.split_once('x')?;
        let layout = layout(page.parse().ok()?, granule.parse().ok()?);
        layout.check().ok()?;
        parts.next().is_none().then(|| Self::new(story, *mode, layout))
    }
}
