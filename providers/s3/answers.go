package s3

import "github.com/strongroom-dev/strongroom/internal/cloud"

// What to do about an answer, if several rows share it.
const (
	checkCredentials = "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the role of " +
		"this host), and whether they have expired"
	renewCredentials = "the credentials have expired: renew them (AWS_SESSION_TOKEN has a limited life; a role or a " +
		"profile renews itself), and run the same command again"
	checkPlace   = "check region= and endpoint= in the URL, and the bucket's name"
	grantKMS     = "grant the credentials kms:GenerateDataKey and kms:Decrypt in the policy of the key"
	checkKMS     = "enable or restore the KMS key, or name another one in kmskeyid="
	useMD5       = "write checksum=md5 in the URL"
	restoreFirst = "the object is in an archive class such as GLACIER: restore it at the service (RestoreObject), " +
		"which may take hours, and run the same command again"
	waitForLock = "object lock protects the object; it can be deleted once its retention and its legal hold have ended"
	withoutLock = "the bucket has no object lock; " +
		"create a bucket that has it, or leave lock= and legal_hold= out of the URL"
	clearDebts = "the provider has disabled the account or the bucket; check the account's state and its bills"
	raiseQuota = "a quota or a cap of the account or the bucket is reached; raise it, or make room"
)

// answers are the meanings of S3's answers, and of those of compatible services. Text that only some services send
// comes before the codes that all of them have.
var answers = []cloud.Meaning{
	// The object is there, or is not.
	{Code: "NoSuchKey", Kind: cloud.NotFound},
	{Code: "NotFound", Kind: cloud.NotFound},
	{Code: "NoSuchUpload", Kind: cloud.NotFound},
	{Code: "NoSuchVersion", Kind: cloud.NotFound},
	{Code: "NoSuchBucket", Kind: cloud.NoBucket},
	{Code: "PreconditionFailed", Kind: cloud.Precondition},
	{Code: "412*", Kind: cloud.Precondition}, // of one object in a directory bucket's answer
	{Code: "InvalidRange", Kind: cloud.Other},
	{Code: "InvalidObjectState", Kind: cloud.Frozen, Advice: restoreFirst},
	{Code: "ObjectRestoreAlreadyInProgress", Kind: cloud.Frozen, Advice: restoreFirst},
	{Code: codeInProgress, Kind: cloud.Frozen, Advice: restoreFirst},
	{
		Code: codeNoCapacity, Kind: cloud.Throttled,
		Advice: "the service has no capacity for expedited thaws now; choose the tier standard, or try again later",
	},

	// It is busy.
	{Code: "OperationAborted", Kind: cloud.Busy},
	{Code: "ConditionalRequestConflict", Kind: cloud.Busy},
	{Code: "SlowDown*", Kind: cloud.Throttled},
	{Code: "Throttling*", Kind: cloud.Throttled},
	{Code: "RequestLimitExceeded", Kind: cloud.Throttled},
	{Code: "TooManyRequests*", Kind: cloud.Throttled},
	{Code: "RequestThrottled*", Kind: cloud.Throttled},
	{Code: "BandwidthLimitExceeded", Kind: cloud.Throttled},
	{Code: "RequestTimeout", Kind: cloud.Broken},

	// The content arrived with other bytes.
	{Code: "BadDigest", Kind: cloud.Other},
	{Code: "XAmzContentChecksumMismatch", Kind: cloud.Other},
	{Code: "XAmzContentSHA256Mismatch", Kind: cloud.Other},
	{Code: "InvalidDigest", Kind: cloud.Other},

	// Keys of KMS.
	{
		Text: "kms is not configured", Kind: cloud.Misconfigured,
		Advice: "the service has no KMS; leave ssetype= and kmskeyid= out of the URL",
	},
	{Code: "AccessDenied", Text: "kms:", Kind: cloud.Denied, Advice: grantKMS},
	{Code: "AccessDenied", Text: "ciphertext refers to a customer master key", Kind: cloud.Denied, Advice: grantKMS},
	{Code: "KMS.AccessDenied*", Kind: cloud.Denied, Advice: grantKMS},
	{Code: "KMS.Disabled*", Kind: cloud.Blocked, Advice: checkKMS},
	{Code: "KMS.KMSInvalidState*", Kind: cloud.Blocked, Advice: checkKMS},
	{
		Code: "KMS.NotFound*", Kind: cloud.Misconfigured,
		Advice: "check the key in kmskeyid= of the URL, and its region; it must be the bucket's",
	},
	{Code: "KMS.Throttling*", Kind: cloud.Throttled},
	{
		Code: "KMS*", Kind: cloud.Blocked,
		Advice: "the service cannot encrypt with the key of kmskeyid= or of the bucket; check the key, and that " +
			"the service has a KMS",
	},

	// Locks.
	{Text: "objectlockconfiguration", Kind: cloud.Misconfigured, Advice: withoutLock},
	{Text: "object lock is not enabled", Kind: cloud.Misconfigured, Advice: withoutLock},
	{Text: "object lock not enabled", Kind: cloud.Misconfigured, Advice: withoutLock},
	{Text: "protected by object lock", Kind: cloud.Protected, Advice: waitForLock},
	{Text: "worm protected", Kind: cloud.Protected, Advice: waitForLock},
	{Code: "ObjectLocked", Kind: cloud.Protected, Advice: waitForLock},
	{Code: "FileImmutable", Kind: cloud.Protected, Advice: waitForLock},
	{Code: "ObjectUnderRetention", Kind: cloud.Protected, Advice: waitForLock},
	{
		Code: "ObjectLockedByBucketPolicy", Kind: cloud.Protected,
		Advice: "a lock rule of the bucket protects the object; it ends by itself",
	},

	// Policies. No further permission helps against an explicit deny.
	{
		Code: "AccessDenied", Text: "explicit deny in a resource-based policy", Kind: cloud.Denied,
		Advice: "the policy of the bucket denies the request explicitly; it may demand encryption (ssetype=), " +
			"https, or another network",
	},
	{
		Code: "AccessDenied", Text: "explicit deny in a vpc endpoint policy", Kind: cloud.Denied,
		Advice: "the policy of the VPC endpoint denies the request; change it, or use another route",
	},
	{
		Code: "AccessDenied", Text: "explicit deny in a service control policy", Kind: cloud.Denied,
		Advice: "a service control policy of the organization denies the request",
	},
	{
		Code: "AccessDenied", Text: "explicit deny in a resource control policy", Kind: cloud.Denied,
		Advice: "a resource control policy of the organization denies the request",
	},
	{
		Code: "AccessDenied", Text: "explicit deny", Kind: cloud.Denied,
		Advice: "a policy denies the request explicitly, so that no further permission helps; change that policy",
	},
	{
		Code: "AccessDenied", Text: "no vpc endpoint policy allows", Kind: cloud.Denied,
		Advice: "the policy of the VPC endpoint does not allow the request; change it, or use another route",
	},
	{
		Code: "AccessDenied", Text: "no permissions boundary allows", Kind: cloud.Denied,
		Advice: "the permissions boundary of the credentials does not allow the request; change it",
	},
	{
		Code: "AccessDenied", Text: "no service control policy allows", Kind: cloud.Denied,
		Advice: "no service control policy of the organization allows the request",
	},

	// Accounts, bills, quotas.
	{Code: "AllAccessDisabled", Kind: cloud.Blocked, Advice: clearDebts},
	{Code: "AccountProblem", Kind: cloud.Blocked, Advice: clearDebts},
	{Code: "NotSignedUp", Kind: cloud.Blocked, Advice: clearDebts},
	{Code: "UserSuspended", Kind: cloud.Blocked, Advice: clearDebts},
	{Code: "AccessDenied", Text: "cap exceeded", Kind: cloud.Blocked, Advice: raiseQuota},
	{Code: "QuotaExceeded*", Kind: cloud.Blocked, Advice: raiseQuota},
	{Code: "XMinioAdminBucketQuotaExceeded", Kind: cloud.Blocked, Advice: raiseQuota},
	{Code: "XMinioStorageFull", Kind: cloud.Blocked, Advice: "the disks of the service are full; make room there"},
	{Status: 507, Kind: cloud.Blocked, Advice: "the service has no room left; make room there"},
	{
		Text: "requester pays", Kind: cloud.Misconfigured,
		Advice: "write requester_pays=true in the URL: the bucket's requesters pay",
	},
	{Code: "InvalidPayer", Kind: cloud.Blocked, Advice: clearDebts},

	// Credentials and clocks.
	{Code: "ExpiredToken*", Kind: cloud.BadCredentials, Advice: renewCredentials},
	{Code: "TokenRefreshRequired", Kind: cloud.BadCredentials, Advice: renewCredentials},
	{Code: "RequestExpired", Kind: cloud.BadCredentials, Advice: "set this host's clock"},
	{Code: "RequestTimeTooSkewed", Kind: cloud.BadCredentials, Advice: "set this host's clock"},
	{Code: "AccessDenied", Text: "request has expired", Kind: cloud.BadCredentials, Advice: "set this host's clock"},
	{Code: "InvalidAccessKeyId", Kind: cloud.BadCredentials, Advice: checkCredentials},
	{
		Code: "SignatureDoesNotMatch", Kind: cloud.BadCredentials,
		Advice: "check the credentials, above all the secret key (AWS_SECRET_ACCESS_KEY or the profile's), " +
			"and that no proxy changes the requests",
	},
	{
		Code: "InvalidToken", Kind: cloud.BadCredentials,
		Advice: "check AWS_SESSION_TOKEN: it must belong to the keys and the endpoint",
	},
	{Code: "AuthFailure", Kind: cloud.BadCredentials},
	{Code: "UnrecognizedClientException", Kind: cloud.BadCredentials},
	{Code: "InvalidClientTokenId", Kind: cloud.BadCredentials},

	// https.
	{
		Text: "http request was sent to https port", Kind: cloud.Misconfigured,
		Advice: "write https:// in endpoint= of the URL",
	},
	{
		Text: "http request to an https server", Kind: cloud.Misconfigured,
		Advice: "write https:// in endpoint= of the URL",
	},
	{Text: "ssl is required", Kind: cloud.Misconfigured, Advice: "write https:// in endpoint= of the URL"},
	{Text: "https is required", Kind: cloud.Misconfigured, Advice: "write https:// in endpoint= of the URL"},

	// Regions and names.
	{Code: "PermanentRedirect", Kind: cloud.Misconfigured},
	{Code: "TemporaryRedirect", Kind: cloud.Misconfigured},
	{Code: "Redirect", Kind: cloud.Misconfigured},
	{Code: "MovedPermanently", Kind: cloud.Misconfigured},
	{Code: "AuthorizationHeaderMalformed", Kind: cloud.Misconfigured},
	{Code: "IllegalLocationConstraintException", Kind: cloud.Misconfigured},
	{Code: "InvalidBucketName", Kind: cloud.Misconfigured},

	// What a service does not have.
	{
		Code: "InvalidStorageClass", Kind: cloud.Misconfigured,
		Advice: "the service does not have this class; write one that it has in storage_class=, or leave it out",
	},
	{Code: "MissingContentMD5", Kind: cloud.Misconfigured, Advice: useMD5},
	{Code: "InvalidRequest", Text: "missing required header", Kind: cloud.Misconfigured, Advice: useMD5},
	{
		Code: "InvalidRequest", Text: "header is required", Kind: cloud.Misconfigured,
		Advice: "write checksum=md5 in the URL, or leave lock= and legal_hold= out",
	},
	{
		Text: "checksum", Kind: cloud.Misconfigured,
		Advice: "the service does not support the checksum crc32c; " + useMD5,
	},
	{
		Code: "NotImplemented", Op: "putting", Kind: cloud.Misconfigured,
		Advice: "the service does not support a header of the request. Often that is If-None-Match, by which an " +
			"object is created only once: create_only=false in the URL accepts that. Otherwise leave out " +
			"lock=, legal_hold=, ssetype= or storage_class=, or write checksum=md5",
	},
	{
		Status: 501, Op: "putting", Kind: cloud.Misconfigured,
		Advice: "the service does not support a header of the request. Often that is If-None-Match, by which an " +
			"object is created only once: create_only=false in the URL accepts that",
	},
	{
		Code: "NotImplemented", Kind: cloud.Misconfigured,
		Advice: "the service does not support the request; check endpoint= in the URL",
	},

	{Code: "MethodNotAllowed", Kind: cloud.Denied},
	{Code: "AccessDenied", Kind: cloud.Denied},
	{Code: "Forbidden", Kind: cloud.Denied},
}
