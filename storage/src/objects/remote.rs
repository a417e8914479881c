//! S3 and Azure from a URL, options and the environment.

use crate::error::{Error, Result};
use object_store::{
    ObjectStore, ObjectStoreScheme, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, path::Path,
    prefix::PrefixStore,
};
use std::{collections::BTreeMap, str::FromStr, sync::Arc};

/// A bucket at `url`, with everything below the URL's path.
pub(super) fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn ObjectStore>> {
    let parsed = url
        .parse()
        .map_err(|_| invalid(format!("{url} is not a URL")))?;
    let (scheme, prefix) =
        ObjectStoreScheme::parse(&parsed).map_err(|error| invalid(error.to_string()))?;
    match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let mut builder = AmazonS3Builder::from_env().with_url(url);
            for (key, value) in options {
                builder = builder.with_config(known(key, &S3_SECRETS)?, value);
            }
            Ok(under(prefix, builder.build().map_err(building)?))
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_url(url);
            for (key, value) in options {
                builder = builder.with_config(known(key, &AZURE_SECRETS)?, value);
            }
            Ok(under(prefix, builder.build().map_err(building)?))
        }
        _ => Err(invalid(format!(
            "{url} is neither s3:// nor az:// (or one of their other forms)"
        ))),
    }
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
mod tests {
    use super::*;
    use crate::error::Kind;

    fn opened(url: &str, options: &[(&str, &str)]) -> Result<Arc<dyn ObjectStore>> {
        let options = options
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        open(url, &options.collect())
    }

    #[test]
    fn urls_and_options_make_stores() {
        let options = [
            ("aws_region", "eu-north-1"),
            ("AWS_ENDPOINT", "https://127.0.0.1:9"),
        ];
        let store = opened("s3://bucket/some/prefix", &options).expect("well-formed");
        assert!(store.to_string().contains("some/prefix"), "{store}");
        let store = opened("s3://bucket", &options).expect("well-formed");
        assert!(!store.to_string().contains("Prefix"), "{store}");
        opened("az://container", &[("account_name", "shop")]).expect("well-formed");
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_reason() {
        let cases = [
            ("no url", ("", ""), "not a URL"),
            ("ftp://host/x", ("", ""), "ftp"),
            (
                "s3://bucket",
                ("aws_colour", "red"),
                "aws_colour is not known",
            ),
            (
                "s3://bucket",
                ("aws_secret_access_key", "x"),
                "AWS_SECRET_ACCESS_KEY",
            ),
            ("s3://bucket", ("token", "x"), "a secret"),
            (
                "az://container",
                ("azure_storage_account_key", "x"),
                "a secret",
            ),
        ];
        for (url, option, expected) in cases {
            let options = if option.0.is_empty() {
                vec![]
            } else {
                vec![option]
            };
            let error = opened(url, &options).expect_err("refused");
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(
                error.to_string().contains(expected),
                "{error} lacks {expected}"
            );
        }
    }
}
