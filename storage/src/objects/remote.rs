//! S3 and Azure from a URL, options and variables.
//!
//! Not by the builders' `from_env`: only one place reads the environment, and says what it took from there.

use crate::{
    config::{Config, Variables},
    error::{Error, Result},
};
use object_store::{
    ObjectStore, ObjectStoreScheme,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    path::Path,
    prefix::PrefixStore,
};
use std::{str::FromStr, sync::Arc};

/// The bucket at the URL of `config`, with everything below the URL's path.
pub(super) fn open(config: &Config) -> Result<Arc<dyn ObjectStore>> {
    let url = &config.bucket;
    let (scheme, prefix) = parse(url)?;
    let Variables(variables) = in_force(config, config.bucket_variables.clone());
    match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let mut builder = AmazonS3Builder::new().with_url(url);
            for (name, value) in &variables {
                builder = builder.with_config(variable(name, "AWS_").expect("in force"), value);
            }
            for (key, value) in &config.bucket_options {
                builder = builder.with_config(known(key, &S3_SECRETS)?, value);
            }
            Ok(under(prefix, builder.build().map_err(building)?))
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let mut builder = MicrosoftAzureBuilder::new().with_url(url);
            for (name, value) in &variables {
                builder = builder.with_config(variable(name, "AZURE_").expect("in force"), value);
            }
            for (key, value) in &config.bucket_options {
                builder = builder.with_config(known(key, &AZURE_SECRETS)?, value);
            }
            Ok(under(prefix, builder.build().map_err(building)?))
        }
        _ => Err(invalid(format!(
            "{url} is neither s3:// nor az:// (or one of their other forms)"
        ))),
    }
}

/// See [`super::is_remote`].
pub(super) fn is_remote(url: &str) -> bool {
    matches!(
        parse(url),
        Ok((
            ObjectStoreScheme::AmazonS3 | ObjectStoreScheme::MicrosoftAzure,
            _
        ))
    )
}

/// See [`super::variables_in_force`].
pub(super) fn in_force(config: &Config, variables: Variables) -> Variables {
    let Variables(mut variables) = variables;
    let options: Vec<&str> = config.bucket_options.keys().map(String::as_str).collect();
    variables.retain(|name, _| match parse(&config.bucket) {
        Ok((ObjectStoreScheme::AmazonS3, _)) => {
            variable::<AmazonS3ConfigKey>(name, "AWS_").is_some_and(|key| is_open(&key, &options))
        }
        Ok((ObjectStoreScheme::MicrosoftAzure, _)) => {
            variable::<AzureConfigKey>(name, "AZURE_").is_some_and(|key| is_open(&key, &options))
        }
        _ => false,
    });
    Variables(variables)
}

fn parse(url: &str) -> Result<(ObjectStoreScheme, Path)> {
    let parsed = url
        .parse()
        .map_err(|_| invalid(format!("{url} is not a URL")))?;
    ObjectStoreScheme::parse(&parsed).map_err(|error| invalid(error.to_string()))
}

/// The option that a variable stands for. Azure's host gives one that has no prefix.
fn variable<K: FromStr>(name: &str, prefix: &str) -> Option<K> {
    let is_meant = name.starts_with(prefix) || (prefix == "AZURE_" && name == "MSI_ENDPOINT");
    let key = is_meant.then(|| name.to_ascii_lowercase().parse());
    key?.ok()
}

/// Whether none of `options` says the same.
fn is_open<K: FromStr + PartialEq>(key: &K, options: &[&str]) -> bool {
    let says_it = |option: &&str| {
        option
            .to_ascii_lowercase()
            .parse()
            .is_ok_and(|o: K| o == *key)
    };
    !options.iter().any(says_it)
}

/// Options that hold a secret: a settings file is read by more people than may have them.
const S3_SECRETS: [&str; 4] = [
    "access_key_id",
    "secret_access_key",
    "session_token",
    "sse_customer_key_base64",
];

/// See [`S3_SECRETS`].
const AZURE_SECRETS: [&str; 5] = [
    "account_key",
    "client_secret",
    "sas_key",
    "bearer_token",
    "fabric_session_token",
];

/// The option that `key` names, which has several names.
fn known<K: FromStr + PartialEq>(key: &str, secrets: &[&str]) -> Result<K> {
    let parsed = key
        .to_ascii_lowercase()
        .parse()
        .map_err(|_| invalid(format!("the option {key} is not known for such a bucket")))?;
    if secrets
        .iter()
        .any(|secret| secret.parse().is_ok_and(|secret: K| secret == parsed))
    {
        let variable = key.to_ascii_uppercase();
        return Err(invalid(format!(
            "{key} is a secret: set it in the environment as {variable}"
        )));
    }
    Ok(parsed)
}

fn under(prefix: Path, store: impl ObjectStore) -> Arc<dyn ObjectStore> {
    if prefix.as_ref().is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, prefix))
    }
}

fn building(error: object_store::Error) -> Error {
    invalid(error.to_string())
}

fn invalid(detail: String) -> Error {
    Error::Invalid {
        what: "bucket",
        detail,
    }
}

#[cfg(test)]
mod tests;
