// SPDX-License-Identifier: Apache-2.0
//! Actions that are one port call, or a few.

use crate::MODULES;
use crate::context::Context;
use mender_base::words::{ModuleState, Progress};
use mender_base::{Error, Event};
use mender_port::{Errno, Modules, Platform};
use mender_update::{Checkpoint, Event as Happened, Kind};

/// Runs a state of the deployment's update module; for an image, confirms it.
pub(crate) fn run<P: Platform>(
    cx: &mut Context<'_, P>,
    checkpoint: &Checkpoint,
    state: ModuleState,
) -> Happened<'static> {
    if checkpoint.kind == Kind::Image {
        // Images know no other state: MCUboot does the rest.
        return Happened::Ran(confirm(cx));
    }
    if !MODULES {
        return Happened::Ran(Err(Error::Unsupported));
    }
    cx.say(Event::ModuleRuns, state.name());
    let Some(module) = cx.ports.find(&checkpoint.payload_type) else {
        return Happened::Ran(Err(Error::PayloadUnknown));
    };
    match Modules::run(&mut cx.ports, module, state) {
        Ok(Progress::Done) if state == ModuleState::ArtifactInstall => {
            Happened::Installed { needs_reboot: cx.ports.needs_reboot(module) }
        }
        Ok(progress) => Happened::Ran(Ok(progress)),
        Err(Errno(errno)) => {
            cx.event(Event::ModuleFailed, 0, errno, state.name());
            Happened::Ran(Err(Error::ModuleFailed))
        }
    }
}

/// Makes the running image stay.
pub(crate) fn confirm<P: Platform>(cx: &mut Context<'_, P>) -> Result<Progress, Error> {
    cx.ports.confirm().map_err(|errno| cx.port_failed(Error::Confirm, errno))?;
    // Believed when it can be read back.
    match cx.ports.is_confirmed() {
        Ok(true) => {
            cx.say(Event::Confirmed, "");
            Ok(Progress::Done)
        }
        Ok(false) => Err(cx.port_failed(Error::Confirm, Errno(0))),
        Err(errno) => Err(cx.port_failed(Error::Confirm, errno)),
    }
}

/// Asks MCUboot for a test swap.
pub(crate) fn arm<P: Platform>(cx: &mut Context<'_, P>) -> Result<Progress, Error> {
    if !cx.ports.can_revert() {
        cx.blame(Event::OneWay, Error::CannotRevert, 0, "");
    }
    cx.say(Event::SwapRequested, "");
    cx.ports.request_swap().map_err(|errno| cx.port_failed(Error::RequestSwap, errno))?;
    Ok(Progress::Done)
}

/// Makes MCUboot ignore the slot, a page at a time.
pub(crate) fn disarm<P: Platform>(cx: &mut Context<'_, P>) -> Result<Progress, Error> {
    let done = cx.ports.invalidate().map_err(|errno| cx.port_failed(Error::SlotInvalidate, errno))?;
    Ok(if done { Progress::Done } else { Progress::Pending })
}

/// Lets the application test the new firmware.
pub(crate) fn self_test<P: Platform>(cx: &mut Context<'_, P>) -> Result<Progress, Error> {
    cx.ports.self_test().map_err(|errno| cx.port_failed(Error::SelfTest, errno))
}
