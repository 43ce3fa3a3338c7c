package cloud

// S3Parameters are what may stand behind the "?" of an s3 URL. Where gocloud's s3blob
// knows a parameter of that meaning, it has the same name there.
var S3Parameters = []string{
	"region",         // of the bucket; otherwise AWS_REGION or the profile's
	"endpoint",       // http:// or https:// address of a service that is not Amazon's
	"use_path_style", // true: the bucket stands in the path and not in the host name
	"profile",        // of the shared configuration file
	"anonymous",      // true: requests are not signed
	"ssetype",        // server-side encryption: AES256, aws:kms, aws:kms:dsse
	"kmskeyid",       // its key, for aws:kms
	"storage_class",  // of data and bundles; the rest has the bucket's own
	"checksum",       // crc32c, md5 or none: what the service verifies
	"create_only",    // false: the service cannot refuse what exists, and the weaker promise will do
	"versions",       // auto (the bucket is asked), true or false: whether it keeps versions
	"lock",           // GOVERNANCE or COMPLIANCE: objects are locked when they are put
	"lock_for",       // for how long, such as 30d or 36h
	"legal_hold",     // true: objects are put on legal hold
}

// AzureParameters are what may stand behind the "?" of an azblob URL. Where gocloud's
// azureblob knows a parameter of that meaning, it has the same name there, but for the
// account (storage_account).
var AzureParameters = []string{
	"account",  // the storage account; otherwise AZURE_STORAGE_ACCOUNT
	"domain",   // of the service: blob.core.windows.net, or HOST:PORT of an emulator
	"protocol", // http or https
	"localemu", // true: the account stands in the path and not in the host name
}

// GcsParameters are what may stand behind the "?" of a gs URL.
var GcsParameters = []string{
	"endpoint", // http:// or https:// address of a service that is not Google's, which gets no credentials
}
