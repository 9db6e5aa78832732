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
    /// Services that are offered no more: what was booked of them stands, and can be moved.
    pub former_services: Vec<Service>,
    /// Practitioners and rooms that are there no more, by name: what was booked with them stands.
    pub former: Vec<Resource>,
}

impl Catalog {
    /// The service of this id.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.iter().find(|service| service.service_id == *id)
    }

    /// The service that an appointment was booked of, whether or not it is still offered.
    pub fn service_of(&self, id: &ServiceId) -> Option<&Service> {
        self.service(id).or_else(|| self.former_services.iter().find(|service| service.service_id == *id))
    }

    /// The resource of this id.
    pub fn resource(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.resource_id == *id)
    }

    /// Returns what a resource is called, whether or not it is still there.
    pub fn resource_name(&self, id: &ResourceId) -> Option<&str> {
        let all = self.resources.iter().chain(&self.former);
        all.into_iter()
            .find(|resource| resource.resource_id == *id)
            .map(|resource| resource.hours.name.as_str())
    }
}

impl Bookings {
    /// All that a clinic offers and has offered, consistently.
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
                    let service: Service = decode(Table::BookingCatalog, item)?;
                    let place =
                        if service.is_former { &mut catalog.former_services } else { &mut catalog.services };
                    place.push(service);
                } else {
                    let resource: Resource = decode(Table::BookingCatalog, item)?;
                    let place = if resource.is_former { &mut catalog.former } else { &mut catalog.resources };
                    place.push(resource);
                }
            }
        }
        catalog.services.sort_by(|one, other| one.terms.name.cmp(&other.terms.name));
        for resources in [&mut catalog.resources, &mut catalog.former] {
            resources.sort_by(|one, other| one.hours.name.cmp(&other.hours.name));
        }
        Ok(catalog)
    }

    /// Writes `service` in the place of the one of its version; 0 for a new one; on the condition that the resources that it rests on
    /// are as read, so that none of them leaves meanwhile. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save_service(&self, service: &Service, of: &[&Resource]) -> Result<Service, ChangeError> {
        let after = Service { version: service.version.saturating_add(1), ..service.clone() };
        let mut parts = vec![self.service_part(service)?];
        for resource in of {
            parts.push(self.resource_is_as_read(resource)?);
        }
        self.db.of_org(service.org_id).change(parts).await?;
        Ok(after)
    }

    /// The same for a resource.
    ///
    /// # Errors
    /// As [`Bookings::save_service`].
    pub async fn save_resource(&self, resource: &Resource) -> Result<Resource, ChangeError> {
        self.save_with(resource, &[]).await
    }

    /// Writes a resource and services in the place of those of their versions: all, or none. Returns the resource as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write of one of them came between.
    pub async fn save_with(
        &self,
        resource: &Resource,
        services: &[Service],
    ) -> Result<Resource, ChangeError> {
        let after = Resource { version: resource.version.saturating_add(1), ..resource.clone() };
        let item = item(Table::BookingCatalog, &after, &resource_key(&after.resource_id))?;
        let mut parts = vec![self.put(Table::BookingCatalog, item, resource.version)?];
        for service in services {
            parts.push(self.service_part(service)?);
        }
        self.db.of_org(resource.org_id).change(parts).await?;
        Ok(after)
    }

    fn service_part(&self, service: &Service) -> Result<TransactWriteItem, StoreError> {
        let after = Service { version: service.version.saturating_add(1), ..service.clone() };
        let item = item(Table::BookingCatalog, &after, &service_key(&after.service_id))?;
        self.put(Table::BookingCatalog, item, service.version)
    }

    /// The service of this id, whether or not it is offered, consistently.
    ///
    /// # Errors
    /// As [`Bookings::resource`].
    pub async fn service(&self, org: OrgId, id: &ServiceId) -> Result<Option<Service>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::BookingCatalog, &[(name, &value), (SORT, &service_key(id))]).await
    }

    /// The resource of this id, whether or not it is still there, consistently.
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
