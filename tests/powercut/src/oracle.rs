// SPDX-License-Identifier: Apache-2.0
//! What must be true, judged from flash and from what the server heard. It knows nothing of the client's states.

use mender_sim::mcuboot::{self, Mode};
use mender_sim::trailer::{Flag, Magic, SwapType, Trailer};
use mender_sim::{Area, Flash, bootloader};

use crate::modules::Shelf;
use crate::records;
use crate::server::{Provides, Server};
use crate::story::{Payload, Setup};
use crate::world::{End, Violation};

/// What runs on the device, by what the server was told.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Number of the release whose image runs.
    image: usize,
    /// Number of the release whose name the device has.
    release: usize,
    /// The name says that what runs is not to be relied on.
    inconsistent: bool,
    /// The module's file.
    file: Option<Vec<u8>>,
    /// A record could be read once.
    recorded: bool,
    /// The image of the step under way may be what runs.
    trial: usize,
}

/// A device at the end of a step.
pub struct Seen<'a> {
    /// Its flash.
    pub flash: &'a Flash,
    /// Its server.
    pub server: &'a Server,
    /// What its module has installed.
    pub shelf: &'a Shelf,
    /// How often something went wrong so far.
    pub hits: u32,
    /// How often that was the power.
    pub cuts: u32,
    /// Something went wrong that may make a good update fail.
    pub excused: bool,
    /// Records could not be written for a while: a module is not restarted into its old files without a record of that.
    pub unwritable: bool,
}

/// A module's update that is cut so often is given up, and the name says so: the bound on restarts is for this.
const CUTS_TOO_MANY: u32 = 3;

fn is_module(payload: Payload) -> bool {
    matches!(payload, Payload::Module(_))
}

/// The module cannot undo what it did.
fn module_stays(payload: Payload) -> bool {
    let says = |does: &str| ["no-rollback", "ArtifactRollback"].iter().any(|word| does.contains(word));
    matches!(payload, Payload::Module(does) if says(does))
}

fn wrong<T>(what: String) -> Result<T, Violation> {
    Err(Violation(what))
}

fn holds(flash: &Flash, slot: Area, at: usize, image: Option<&Vec<u8>>) -> bool {
    image.is_some_and(|image| flash.view(slot).get(at..).is_some_and(|view| view.starts_with(image)))
}

/// After each poll: what is armed is a whole, verified image, and what would be swapped back is the whole old one. Whether one is armed.
///
/// # Errors
/// What is not so.
pub fn watch(setup: &Setup, truth: &Truth, flash: &Flash) -> Result<bool, Violation> {
    let at = mcuboot::upload_offset(flash.layout(), setup.mode) as usize;
    let any = |image: &Option<Vec<u8>>| holds(flash, Area::Slot1, at, image.as_ref());
    let armed = Trailer::of(flash, Area::Slot1).magic == Magic::Good;
    if armed && !setup.images.iter().any(any) {
        return wrong("an image is armed that is not whole, or not what the artifact said".to_owned());
    }
    let primary = Trailer::of(flash, Area::Slot0);
    let trial = primary.magic == Magic::Good
        && primary.copy_done == Flag::Set
        && primary.image_ok == Flag::Unset
        && setup.mode != Mode::OverwriteOnly;
    let [old, new] = [truth.image, truth.trial].map(|number| setup.images[number].as_ref());
    // The old one may be on trial itself, until the client has confirmed it: then the new one would come back, and must be whole, too.
    let turned = holds(flash, Area::Slot0, 0, old) && holds(flash, Area::Slot1, 0, new);
    if trial && !turned && !holds(flash, Area::Slot1, 0, old) {
        return wrong("the image to fall back to is damaged during the trial".to_owned());
    }
    Ok(armed)
}

impl Default for Truth {
    fn default() -> Self {
        Self::new()
    }
}

impl Truth {
    /// What a device is that has just been made.
    #[must_use]
    pub const fn new() -> Self {
        Self { image: 0, release: 0, inconsistent: false, file: None, recorded: false, trial: 0 }
    }

    /// At every boot: a whole image runs, the old one or the one that is being installed; records are readable once there are any.
    ///
    /// # Errors
    /// What is not so.
    pub fn booted(&mut self, setup: &Setup, flash: &Flash) -> Result<(), Violation> {
        let runs = self.runs(setup, flash);
        if runs.is_none() {
            return wrong("neither the old nor the new image runs".to_owned());
        }
        let readable = records::readable(flash);
        if self.recorded && readable == 0 {
            return wrong("no record can be read".to_owned());
        }
        self.recorded |= readable > 0;
        Ok(())
    }

    fn runs(&self, setup: &Setup, flash: &Flash) -> Option<usize> {
        let may_run = setup.payloads.get(self.trial).is_some_and(|payload| *payload != Payload::Unbootable);
        let candidates = [Some(self.image), may_run.then_some(self.trial)];
        let found = |number: &usize| holds(flash, Area::Slot0, 0, setup.images[*number].as_ref());
        candidates.into_iter().flatten().find(found)
    }

    /// A deployment of a release begins.
    pub fn begin(&mut self, release: usize) {
        self.trial = release;
    }

    /// A step is over: the server heard one end, and it is true.
    ///
    /// # Errors
    /// What is not so.
    pub fn judge(
        &mut self,
        setup: &Setup,
        step: usize,
        number: usize,
        seen: &Seen<'_>,
    ) -> Result<End, Violation> {
        let (server, flash) = (seen.server, seen.flash);
        if let Some(complaint) = server.complaints.first() {
            return wrong(format!("the server complains: {complaint}"));
        }
        let deployment = &server.deployments[number];
        let finals = deployment.finals();
        let mut distinct = finals.clone();
        distinct.dedup();
        let end = match (deployment.status.as_str(), distinct.as_slice()) {
            ("success", ["success"]) => End::Success,
            ("failure", ["failure"]) => End::Failure,
            ("aborted", []) => End::Aborted,
            (status, _) => return wrong(format!("the server was told {finals:?} and has {status}")),
        };
        let release = step + 1;
        let planned = setup.story.steps.get(step);
        let good = planned.is_none_or(|step| step.good);
        let unexcused = good && !seen.excused && planned.is_none_or(|step| step.abort_at_report.is_none());
        if end == End::Success && !good {
            return wrong("success of a bad update".to_owned());
        }
        if end == End::Failure && unexcused {
            return wrong("failure of a good update without a reason".to_owned());
        }
        if end == End::Failure && seen.hits == 0 && deployment.logs != 1 {
            return wrong(format!("{} logs of a failure", deployment.logs));
        }
        let reason = planned.map_or("", |step| step.reason);
        if end == End::Failure && seen.hits == 0 && !seen.excused && !deployment.log.contains(reason) {
            return wrong(format!("not {reason}, but {}", deployment.log));
        }
        if SwapType::None != mcuboot::swap_type_in(flash, setup.mode) || !bootloader::is_confirmed(flash) {
            return wrong("another image would run after a reset".to_owned());
        }
        let heard_in_time = deployment.first_refused.as_ref().is_some_and(|report| report != "success");
        self.settle(setup, release, end, heard_in_time, seen)?;
        if deployment.failed_after_abort && !self.inconsistent {
            return wrong("failure after an abort that was heard".to_owned());
        }
        Ok(end)
    }

    /// Works out what must run now, and looks whether it does.
    fn settle(
        &mut self,
        setup: &Setup,
        release: usize,
        end: End,
        aborted_in_time: bool,
        seen: &Seen<'_>,
    ) -> Result<(), Violation> {
        self.trial = release;
        let Some(runs) = self.runs(setup, seen.flash) else {
            return wrong("neither the old nor the new image runs".to_owned());
        };
        let payload = setup.payloads[release];
        let brings_image = setup.images[release].is_some() && payload != Payload::Same;
        let name = seen.server.provides.get("artifact_name").map_or("", String::as_str);
        let no_way_back = setup.mode == Mode::OverwriteOnly && brings_image;
        let new = &setup.releases[release].name;
        let inconsistent = name == format!("{new}_INCONSISTENT");
        let installed = match end {
            End::Success => true,
            End::Failure => false,
            // An abort that the device heard before it had confirmed is obeyed; a later one cannot be.
            End::Aborted => !aborted_in_time && name == new,
        };
        if installed {
            self.release = release;
            self.inconsistent = false;
            if brings_image {
                self.image = release;
            }
            if let Payload::Module(does) = payload {
                self.file = Some(format!("{new}\n{does}\n").into_bytes());
            }
        } else if inconsistent && no_way_back && runs == release {
            (self.image, self.release, self.inconsistent) = (release, release, true);
        } else if inconsistent
            && (module_stays(payload)
                || is_module(payload) && (seen.unwritable || seen.cuts >= CUTS_TOO_MANY))
        {
            (self.release, self.inconsistent) = (release, true);
            self.file.clone_from(&seen.shelf.current);
        }
        if runs != self.image {
            return wrong(format!("told {end:?}, runs {}", setup.releases[runs].name));
        }
        if seen.shelf.current != self.file {
            return wrong(format!("told {end:?}, and the module's file is another one"));
        }
        let expected = self.provides(setup);
        if seen.server.provides != expected {
            return wrong(format!("provides {:?}, not {expected:?}", seen.server.provides));
        }
        Ok(())
    }

    fn provides(&self, setup: &Setup) -> Provides {
        let mut name = setup.releases[self.release].name.clone();
        let mut provides = Provides::new();
        provides.insert("device_type".to_owned(), "sim".to_owned());
        if self.release > 0 && !self.inconsistent {
            provides.insert("build".to_owned(), (self.release + 1).to_string());
        }
        if self.inconsistent {
            name.push_str("_INCONSISTENT");
        }
        provides.insert("artifact_name".to_owned(), name);
        provides
    }
}
