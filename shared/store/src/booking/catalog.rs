//! What clinics offer.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{
    booking::catalog::{Resource, Service},
    ids::{OrgId, ResourceId, ServiceId},
};

use super::{Bookings, SORT, item};
use crate::{
    dynamo::Read,
    error::{ChangeError, StoreError},
    item::{decode, org_key, text},
    table::Table,
};

/// What a clinic offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The services, by name.
    pub services: Vec<Service>,
    /// The practitioners and rooms, by name.
    pub resources: Vec<Resource>,
}

impl Catalog {
    /// The service of this id.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.iter().find(|service| service.service_id == *id)
    }

    /// The resource of this id.
    pub fn resource(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.resource_id == *id)
    }
}

impl Bookings {
    /// All that a clinic offers, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn catalog(&self, org: OrgId) -> Result<Catalog, StoreError> {
        let values = [(":org", text(org.to_string()))];
        let read = Read { condition: Some("org_id = :org"), values: &values, ..Read::default() };
        let mut pages = self.db.of_org(org).pages(Table::BookingCatalog, read);
        let mut catalog = Catalog::default();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                let is_service = item
                    .get(SORT)
                    .and_then(|key| key.as_s().ok())
                    .is_some_and(|key| key.starts_with("service#"));
                if is_service {
                    catalog.services.push(decode(Table::BookingCatalog, item)?);
                } else {
                    catalog.resources.push(decode(Table::BookingCatalog, item)?);
                }
            }
        }
        catalog.services.sort_by(|one, other| one.terms.name.cmp(&other.terms.name));
        catalog.resources.sort_by(|one, other| one.hours.name.cmp(&other.hours.name));
        Ok(catalog)
    }

    /// Writes `service` in the place of the one of its version; 0 for a new one. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save_service(&self, service: &Service) -> Result<Service, ChangeError> {
        let after = Service { version: service.version.saturating_add(1), ..service.clone() };
        let item = item(Table::BookingCatalog, &after, &service_key(&after.service_id))?;
        let part = self.put(Table::BookingCatalog, item, service.version)?;
        self.db.of_org(service.org_id).change(vec![part]).await?;
        Ok(after)
    }

    /// The same for a resource.
    ///
    /// # Errors
    /// As [`Bookings::save_service`].
    pub async fn save_resource(&self, resource: &Resource) -> Result<Resource, ChangeError> {
        let after = Resource { version: resource.version.saturating_add(1), ..resource.clone() };
        let item = item(Table::BookingCatalog, &after, &resource_key(&after.resource_id))?;
        let part = self.put(Table::BookingCatalog, item, resource.version)?;
        self.db.of_org(resource.org_id).change(vec![part]).await?;
        Ok(after)
    }

    /// The resource of this id, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn resource(&self, org: OrgId, id: &ResourceId) -> Result<Option<Resource>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::BookingCatalog, &[(name, &value), (SORT, &resource_key(id))]).await
    }

    pub(super) fn service_is_as_read(&self, service: &Service) -> Result<TransactWriteItem, StoreError> {
        self.is_as_read(service.org_id, &service_key(&service.service_id), service.version)
    }

    pub(super) fn resource_is_as_read(&self, resource: &Resource) -> Result<TransactWriteItem, StoreError> {
        self.is_as_read(resource.org_id, &resource_key(&resource.resource_id), resource.version)
    }
}

fn service_key(id: &ServiceId) -> String {
    format!("service#{id}")
}

fn resource_key(id: &ResourceId) -> String {
    format!("resource#{id}")
}
