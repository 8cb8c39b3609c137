//! The dependencies that the pods behind a Service are configured with: other Services and Secrets.

use k8s_openapi::api::core::v1::{EnvVar, Service};

use super::backend;
use crate::assert::{Observed, observed::Missing, text::clean};

/// Explains why the pods behind the Service `name` may answer with an error although all of them
/// are well: a host in their environment is a Service that does not exist or has nothing ready
/// behind it. Also names the Secrets that the pods use; the contents of a Secret are never read.
pub(super) fn why(name: &str, observed: &Observed, namespace: &str) -> Vec<String> {
    let Ok(service) = observed.get::<Service>(Some(namespace), name) else {
        return Vec::new();
    };
    let selector = service.spec.and_then(|spec| spec.selector);
    let mut why = Vec::new();
    for (name, spec) in backend::deployments(&selector.unwrap_or_default(), observed, namespace) {
        let containers = spec.template.spec.iter().flat_map(|pod| &pod.containers);
        let variables = containers.flat_map(|container| container.env.iter().flatten());
        for variable in variables {
            let told = of_host(variable, observed, namespace);
            let told = told.or_else(|| of_secret(variable)).into_iter().flatten();
            let name = clean(&name);
            why.extend(told.map(|text| format!("deployment {name} {text}")));
        }
    }
    why
}

/// Explains why the Service that a variable such as `PGHOST` names does not work; `None` if it
/// does, or if the variable names no Service.
fn of_host(variable: &EnvVar, observed: &Observed, namespace: &str) -> Option<Vec<String>> {
    let value = variable.value.as_deref()?;
    if !variable.name.to_ascii_uppercase().ends_with("HOST") {
        return None;
    }
    let host = value.split(':').next()?;
    let (service, rest) = host.split_once('.').unwrap_or((host, ""));
    let is_here = rest
        .split('.')
        .next()
        .is_some_and(|of| of.is_empty() || of == namespace);
    if service.is_empty() || !is_here {
        return None;
    }
    let told = format!("has {}={}", clean(&variable.name), clean(value));
    match observed.get::<Service>(Some(namespace), service) {
        Ok(_) => {}
        Err(Missing::Absent) => {
            return Some(vec![format!(
                "{told}, and there is no Service {}",
                clean(service)
            )]);
        }
        Err(Missing::Unknown(_)) => return None,
    }
    if backend::ready(service, observed, namespace) != Ok(0) {
        return None;
    }
    let behind = backend::why(service, observed, namespace);
    let nothing = format!("{told}: nothing is ready behind Service {}", clean(service));
    let because = behind.iter().map(|why| format!("{told}: {why}"));
    Some(if behind.is_empty() {
        vec![nothing]
    } else {
        because.collect()
    })
}

/// Names the Secret that a variable is taken from.
fn of_secret(variable: &EnvVar) -> Option<Vec<String>> {
    let from = variable.value_from.as_ref()?.secret_key_ref.as_ref()?;
    Some(vec![format!(
        "takes {} from `{}` of Secret {}, as that was when its pods started",
        clean(&variable.name),
        clean(&from.key),
        clean(&from.name)
    )])
}
