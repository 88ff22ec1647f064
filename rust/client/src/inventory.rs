// SPDX-License-Identifier: Apache-2.0
//! The inventory: device type, provides, client version, and what the application adds (protocol §4).

use mender_api::Attributes;
use mender_port::Application;
use mender_update::Provides;

pub(crate) struct Inventory<'a, P> {
    pub(crate) device_type: &'a str,
    pub(crate) provides: &'a Provides,
    pub(crate) application: &'a P,
}

impl<P: Application> Attributes for Inventory<'_, P> {
    fn visit(&self, each: &mut dyn FnMut(&str, &str)) {
        each("device_type", self.device_type);
        for (key, value) in self.provides.stored() {
            each(key, value);
        }
        each("mender_client_version", crate::VERSION);
        self.application.inventory(each);
    }
}
