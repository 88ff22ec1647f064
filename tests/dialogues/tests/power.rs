// SPDX-License-Identifier: Apache-2.0
//! Power cuts: at every flash operation of a good update and of a bad one, torn in four ways, and again while the device recovers
//! (§10.89). The device always boots, the server hears one final status, it is true, and the next update works.

use std::collections::{BTreeMap, VecDeque};

use mender_dialogues::{Device, artifact, deploy, final_statuses, http, module_artifact, sized_image};
use mender_server::{DeploymentSpec, Server};
use mender_sim::mcuboot::Mode;
use mender_sim::{Area, Cut, Flash, Layout, Moment, Tear};
use mender_testkit::image::Behaviour;

const IMAGE: usize = 10 * 1024;

/// A server with artifacts for a device that is cut again and again, and that device's flash before anything happened.
struct Bench {
    server: Server,
    device: String,
    start: Vec<u8>,
    layout: Layout,
    mode: Mode,
    /// What happened: (how it ended, which image runs).
    outcomes: BTreeMap<(String, String), u32>,
}

impl Bench {
    /// The update to `behaviour` comes as release-2, the one after it as release-3.
    fn new(behaviour: Behaviour) -> Self {
        let server = http();
        // Small pages make many operations of a small image.
        let layout = Layout {
            page_size: 1024,
            slot_size: 20 * 1024,
            scratch_size: 4096,
            record_size: 2048,
            ..Layout::default()
        };
        let mut flash = Flash::new(layout);
        flash.provision(Area::Slot0, &sized_image("1.0.0", Behaviour::Fine, IMAGE)).unwrap();
        for (name, version, behaviour) in
            [("release-2", "2.0.0", behaviour), ("release-3", "3.0.0", Behaviour::Fine)]
        {
            server.upload(artifact(name, sized_image(version, behaviour, IMAGE)).build()).unwrap();
        }
        let mut device = Device::with(&server, |d| d.flash = Some(flash));
        device.run_until_quiet();
        let start = device.ports().flash.bytes().to_vec();
        let id = server.devices()[0].id.clone();
        Self { server, device: id, start, layout, mode: Mode::default(), outcomes: BTreeMap::new() }
    }

    fn deploy(&self, name: &str) -> String {
        self.server.deploy(DeploymentSpec::device(name, &self.device)).unwrap()
    }

    fn device(&self, cuts: &[Cut]) -> Device {
        Device::with(&self.server, |d| {
            d.flash = Some(Flash::from_bytes(self.layout, self.start.clone()));
            d.mode = self.mode;
            d.cuts = cuts.iter().copied().collect::<VecDeque<_>>();
        })
    }

    /// How many operations an update takes that is not cut.
    fn operations(&self) -> u64 {
        let deployment = self.deploy("release-2");
        let mut device = self.device(&[]);
        device.ports().flash.power.plan(None);
        device.run_to_the_end(&self.server, &deployment);
        device.ports().flash.power.count(Moment::Any)
    }

    /// One update with these cuts, and one after it; how many of the cuts happened.
    fn cut(&mut self, cuts: &[Cut]) -> u32 {
        let deployment = self.deploy("release-2");
        let mut device = self.device(cuts);
        device.run_to_the_end(&self.server, &deployment);
        let hit = device.cuts_hit;
        device.cuts.clear();
        device.ports().flash.power.plan(None);
        let told = final_statuses(&self.server, &deployment);
        device.restart();
        device.run_until_quiet();
        let runs = device.version();
        let what = format!("{cuts:?}: {told:?}, {runs}\n{}", device.story());
        assert_eq!(told.len(), 1, "one final status: {what}");
        let name = match (told[0].as_str(), runs.as_str()) {
            ("success", "2.0.0") => "release-2",
            ("failure", "1.0.0") => "release-1",
            // There is no way back, and the name says that what runs is not to be relied on.
            ("failure", "2.0.0") if self.mode == Mode::OverwriteOnly => "release-2_INCONSISTENT",
            _ => panic!("not the truth: {what}"),
        };
        assert_eq!(device.artifact_name(), name, "{what}");
        *self.outcomes.entry((told[0].clone(), runs)).or_default() += 1;
        let next = self.deploy("release-3");
        device.update(&self.server, &next);
        assert_eq!(final_statuses(&self.server, &next), ["success"], "{what}\n{}", device.story());
        assert_eq!(device.version(), "3.0.0", "{what}");
        assert_eq!(self.server.devices().len(), 1, "the same key");
        assert_eq!(self.server.devices()[0].auth_sets.len(), 1, "the same key");
        hit
    }
}

/// Cuts at every operation with this tear; how many cuts happened.
fn sweep(behaviour: Behaviour, tear: impl Fn(u64) -> Tear, begin: u64) -> (u32, Bench) {
    sweep_in(Mode::SwapUsingScratch, behaviour, tear, begin)
}

fn sweep_in(mode: Mode, behaviour: Behaviour, tear: impl Fn(u64) -> Tear, begin: u64) -> (u32, Bench) {
    let mut bench = Bench { mode, ..Bench::new(behaviour) };
    // How many operations there are depends a little on how the bytes come in: there are no more when none was hit any more.
    let (mut hits, mut missed) = (0, 0);
    for number in begin.. {
        let hit = bench.cut(&[Cut { moment: Moment::Any, number, tear: tear(number) }]);
        hits += hit;
        missed = if hit == 0 { missed + 1 } else { 0 };
        if missed == 3 {
            break;
        }
    }
    println!("{mode:?}, {behaviour:?}: {hits} cuts: {:?}", bench.outcomes);
    (hits, bench)
}

fn both(bench: &Bench) {
    let ends: Vec<&str> = bench.outcomes.keys().map(|(told, _)| told.as_str()).collect();
    assert_eq!(ends, ["failure", "success"], "{:?}", bench.outcomes);
}

#[test]
fn c89_power_that_goes_before_any_operation_of_a_good_update() {
    let (hits, bench) = sweep(Behaviour::Fine, |_| Tear::Nothing, 1);
    assert!(hits > 100, "{hits}");
    both(&bench);
}

#[test]
fn c89a_power_that_goes_in_the_middle_of_any_operation_of_a_good_update() {
    let (hits, bench) =
        sweep(Behaviour::Fine, |number| if number % 2 == 0 { Tear::Half } else { Tear::Bits(number) }, 2);
    assert!(hits > 100, "{hits}");
    both(&bench);
}

#[test]
fn c89b_power_that_goes_after_any_operation_of_a_good_update() {
    let (hits, bench) = sweep(Behaviour::Fine, |_| Tear::All, 3);
    assert!(hits > 100, "{hits}");
    both(&bench);
}

fn always_falls_back(hits: u32, bench: &Bench) {
    assert!(hits > 100, "{hits}");
    assert!(
        bench.outcomes.keys().all(|(told, runs)| told == "failure" && runs == "1.0.0"),
        "{:?}",
        bench.outcomes
    );
}

#[test]
fn c89c_power_that_goes_at_any_operation_of_a_bad_update() {
    let tear = |number| [Tear::Nothing, Tear::Half, Tear::Bits(number), Tear::All][(number % 4) as usize];
    let (hits, bench) = sweep(Behaviour::FailsSelfTest, tear, 1);
    always_falls_back(hits, &bench);
}

#[test]
fn c89d_power_that_goes_at_any_operation_of_an_update_that_hangs() {
    let tear = |number| [Tear::Half, Tear::Bits(number), Tear::All, Tear::Nothing][(number % 4) as usize];
    let (hits, bench) = sweep(Behaviour::Hangs, tear, 2);
    always_falls_back(hits, &bench);
}

#[test]
fn c89h_power_that_goes_at_any_operation_where_mcuboot_only_overwrites() {
    let tear = |number| [Tear::Half, Tear::Nothing, Tear::All, Tear::Bits(number)][(number % 4) as usize];
    let (hits, bench) = sweep_in(Mode::OverwriteOnly, Behaviour::Fine, tear, 1);
    assert!(hits > 60 && bench.outcomes.keys().any(|(told, _)| told == "success"), "{:?}", bench.outcomes);
    let (hits, bench) = sweep_in(Mode::OverwriteOnly, Behaviour::FailsSelfTest, tear, 2);
    assert!(hits > 60, "{hits}");
    assert!(bench.outcomes.keys().all(|(told, _)| told == "failure"), "{:?}", bench.outcomes);
}

#[test]
fn c89e_power_that_goes_again_while_the_device_recovers() {
    let mut bench = Bench::new(Behaviour::Fine);
    let operations = bench.operations();
    let (mut hits, mut seed) = (0, 1_u64);
    let rounds = 150;
    for _ in 0..rounds {
        let cuts: Vec<Cut> = (0..3)
            .map(|n| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let random = seed >> 33;
                let span = if n == 0 { operations } else { 60 };
                let tear = [Tear::Nothing, Tear::Half, Tear::Bits(random), Tear::All][(random % 4) as usize];
                Cut { moment: Moment::Any, number: 1 + (random >> 3) % span, tear }
            })
            .collect();
        hits += bench.cut(&cuts);
    }
    println!("{hits} cuts in {rounds} updates: {:?}", bench.outcomes);
    assert!(hits as usize > rounds * 2, "{hits}");
    both(&bench);
}

#[test]
fn c89f_power_that_goes_while_a_report_is_in_flight() {
    for (behaviour, verdict) in [(Behaviour::Fine, "success"), (Behaviour::FailsSelfTest, "failure")] {
        let mut bench = Bench::new(behaviour);
        let mut hits = 0;
        for number in 1..=5 {
            hits += bench.cut(&[Cut { moment: Moment::Report, number, tear: Tear::Nothing }]);
        }
        assert!(hits >= 4, "{hits}");
        let seen = bench.outcomes.keys().any(|(told, _)| told == verdict);
        assert!(seen, "{:?}", bench.outcomes);
    }
}

#[test]
fn c89g_power_that_goes_at_any_operation_of_an_update_by_a_module() {
    let server = http();
    server.upload(module_artifact("release-2").build()).unwrap();
    let mut outcomes = BTreeMap::new();
    for number in 1..200 {
        let mut device = Device::with(&server, |d| d.mac = format!("02:00:00:00:01:{number:02x}"));
        device.run_until_quiet();
        let id = server.devices().iter().find(|d| d.identity.contains(&device.mac)).unwrap().id.clone();
        let tear = [Tear::Nothing, Tear::Half, Tear::Bits(number), Tear::All][(number % 4) as usize];
        device.ports().flash.power.plan(Some(Cut { moment: Moment::Any, number, tear }));
        let deployment = server.deploy(DeploymentSpec::device("release-2", &id)).unwrap();
        device.client().check_now();
        device.run_to_the_end(&server, &deployment);
        let told = final_statuses(&server, &deployment);
        let what = format!("{number} {tear:?} {told:?}\n{}", device.story());
        assert_eq!(told.len(), 1, "{what}");
        let installed = (told[0] == "success").then_some("release-2");
        assert_eq!(device.module_file().as_deref(), installed, "{what}");
        *outcomes.entry(told[0].clone()).or_insert(0) += 1;
        if device.cuts_hit == 0 {
            break;
        }
    }
    println!("{outcomes:?}");
    assert!(outcomes["success"] > 10 && outcomes["failure"] > 5, "{outcomes:?}");
}

#[test]
fn the_key_survives_power_that_goes_while_it_is_made() {
    let mut hits = 0;
    for number in 1..=4 {
        for tear in [Tear::Nothing, Tear::Half, Tear::Bits(number), Tear::All] {
            let server = http();
            let mut device = Device::with(&server, |d| {
                d.cuts = VecDeque::from([Cut { moment: Moment::KeyWrite, number, tear }]);
            });
            device.run_until_logged("no update");
            hits += device.cuts_hit;
            device.restart();
            device.run_until_logged("no update");
            assert_eq!(
                server.devices()[0].auth_sets.len(),
                1,
                "{number} {tear:?}: what was shown once stays"
            );
            let deployment = deploy(&server, &module_artifact("release-2"));
            device.update(&server, &deployment);
            assert_eq!(final_statuses(&server, &deployment), ["success"]);
        }
    }
    assert!(hits >= 8, "{hits}");
}
