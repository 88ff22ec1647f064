// SPDX-License-Identifier: Apache-2.0
//! The inventory: device type, provides, client version, and what the application adds (protocol §4).

use mender_api::{Attributes, Value};
use mender_port::Application;
use mender_update::Provides;

pub(crate) struct Inventory<'a, P> {
    pub(crate) device_type: &'a str,
    pub(crate) provides: &'a Provides,
    pub(crate) application: &'a P,
}

impl<P: Application> Attributes for Inventory<'_, P> {
    fn visit(&self, each: &mut dyn FnMut(&str, Value<'_>)) {
        each("device_type", Value::Text(self.device_type));
        for (key, value) in self.provides.stored() {
            each(key, Value::Text(value));
        }
        each("mender_client_version", Value::Text(crate::VERSION));
        self.application.inventory(&mut |name, value| each(name, Value::Text(value)));
    }
}
