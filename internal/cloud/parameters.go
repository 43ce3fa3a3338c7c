package cloud

// S3Parameters are the parameters of an s3 URL. If gocloud's s3blob has a parameter with the same meaning, it
// has the same name there.
var S3Parameters = []string{
	"region",             // of the bucket; otherwise AWS_REGION or the profile's
	"endpoint",           // http:// or https:// address of a service other than Amazon's
	"use_path_style",     // true: the bucket is part of the path, not of the host name
	"dualstack",          // true: Amazon's endpoints that have IPv6 addresses too
	"requester_pays",     // true: the requests are billed to the credentials' account
	"profile",            // a profile of the shared configuration file
	"anonymous",          // true: requests are not signed
	"ssetype",            // server-side encryption: AES256, aws:kms, aws:kms:dsse
	"kmskeyid",           // the key for aws:kms
	"storage_class",      // of data objects and bundles, for copies also one to thaw; others have the bucket's class
	"checksum",           // crc32c, md5 or none: the checksum that the service compares
	"create_only",        // false: accepts a service that cannot refuse to overwrite
	"conditional_delete", // false: accepts a service that cannot delete on a condition
	"versions",           // auto (read from the bucket), true or false: whether the bucket keeps versions
	"lock",               // GOVERNANCE or COMPLIANCE: objects are locked when they are put
	"lock_for",           // how long a lock lasts, such as 30d or 36h
	"legal_hold",         // true: each object gets a legal hold
}

// AzureParameters are the parameters of an azblob URL. If gocloud's azureblob has a parameter with the same
// meaning, it has the same name there, except for the account (storage_account).
var AzureParameters = []string{
	"account",     // the storage account; otherwise AZURE_STORAGE_ACCOUNT
	"domain",      // of the service: blob.core.windows.net, or HOST:PORT of an emulator
	"protocol",    // http or https
	"access_tier", // of data objects and bundles: Hot, Cool, Cold, or, for copies, Archive
	"localemu",    // true: the account is part of the path, not of the host name
}

// GcsParameters are the parameters of a gs URL.
var GcsParameters = []string{
	"endpoint", // http:// or https:// address of a service other than Google's; it receives no credentials
}
