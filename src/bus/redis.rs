//! The bus over Redis.
use super::*;
/// Handle.
#[derive(Clone)]
pub struct RedisBus;
impl RedisBus {
    pub(super) fn subscribe(&self, _key: &UserKey) -> impl Future<Output = ()> + Send + 'static + use<> {
        ready(())
    }
    pub(super) fn unsubscribe(&self, _key: &UserKey) {}
    pub(super) fn announce(&self, _a: Vec<Announcement>) {}
    pub(super) fn control(&self, _c: Control) {}
    pub(super) fn health(&self) -> Health {
        Health { up: true, probe_age: None }
    }
}
