package gcs

import "github.com/strongroom-dev/strongroom/internal/cloud"

// What to do about an answer, if several rows share it.
const (
	grantKMS  = "grant the role Cloud KMS CryptoKey Encrypter/Decrypter on the key to the service agent of Cloud Storage"
	payOwn    = "the bucket's requesters pay: set GOOGLE_CLOUD_QUOTA_PROJECT to the project that pays"
	payBills  = "check the billing account of the bucket's project"
	unlock    = "a retention policy or a hold protects the object; it can be deleted once that has ended"
	perimeter = "the network or the project is outside of the perimeter of VPC Service Controls; " +
		"run where the perimeter allows it, or change its rules"
)

// answers are the meanings of the answers of Google Cloud Storage, by its reason and message.
var answers = []cloud.Meaning{
	// The object is there, or is not.
	{Status: 404, Text: "bucket does not exist", Kind: cloud.NoBucket},
	{Status: 400, Text: "invalid bucket name", Kind: cloud.Misconfigured},
	{
		Status: 412, Text: "violates constraint", Kind: cloud.Blocked,
		Advice: "a policy of the organization forbids it; ask its administrator",
	},
	{Status: 409, Code: "conflict", Kind: cloud.Busy},

	// What protects an object.
	{Code: "retentionPolicyNotMet", Kind: cloud.Protected, Advice: unlock},
	{Code: "objectUnderActiveHold", Kind: cloud.Protected, Advice: unlock},
	{Status: 403, Text: "retention policy", Kind: cloud.Protected, Advice: unlock},
	{Status: 403, Text: "active temporary hold", Kind: cloud.Protected, Advice: unlock},
	{Status: 403, Text: "active event-based hold", Kind: cloud.Protected, Advice: unlock},

	// It is busy.
	{Code: "rateLimitExceeded", Kind: cloud.Throttled},
	{Code: "userRateLimitExceeded", Kind: cloud.Throttled},
	{Status: 408, Kind: cloud.TimedOut},
	{Status: 504, Kind: cloud.TimedOut},

	// Keys of KMS.
	{Status: 403, Text: "permission denied on cloud kms key", Kind: cloud.Denied, Advice: grantKMS},
	{Text: "cloud kms key", Kind: cloud.Blocked, Advice: "enable or restore the bucket's key in Cloud KMS"},
	{Text: "cryptokey", Kind: cloud.Blocked, Advice: "enable or restore the bucket's key in Cloud KMS"},

	// The account, its network, and its bills.
	{Text: "requester pays", Kind: cloud.Misconfigured, Advice: payOwn},
	{Code: "UserProjectMissing", Kind: cloud.Misconfigured, Advice: payOwn},
	{
		Code: "UserProjectAccessDenied", Kind: cloud.Denied,
		Advice: "the credentials need the permission serviceusage.services.use on the project that pays",
	},
	{Code: "accountDisabled", Kind: cloud.Blocked, Advice: payBills},
	{Text: "billing account", Kind: cloud.Blocked, Advice: payBills},
	{Code: "vpcServiceControls", Kind: cloud.Blocked, Advice: perimeter},
	{Text: "vpcservicecontrols", Kind: cloud.Blocked, Advice: perimeter},
	{
		Status: 403, Text: "ip filter", Kind: cloud.Blocked,
		Advice: "the IP filter of the bucket does not allow the address of this host",
	},
	{Code: "quotaExceeded", Kind: cloud.Blocked, Advice: "a quota of the project is reached; raise it"},
	{Code: "sslRequired", Kind: cloud.Misconfigured, Advice: "write https:// in endpoint= of the URL"},

	// Credentials.
	{
		Status: 403, Text: "insufficient authentication scopes", Kind: cloud.Denied,
		Advice: "the access scopes of the virtual machine lack storage; add devstorage.read_write, or " +
			"cloud-platform",
	},
	{Status: 401, Kind: cloud.BadCredentials},
	{Code: "credentials", Text: "reasonable timeframe", Kind: cloud.BadCredentials, Advice: "set this host's clock"},
	{
		Code: "credentials", Text: "expired or revoked", Kind: cloud.BadCredentials,
		Advice: "the login has expired: renew it (gcloud auth application-default login), and run the same " +
			"command again",
	},
	{
		Code: "credentials", Text: "invalid jwt signature", Kind: cloud.BadCredentials,
		Advice: "the service account's key was deleted or is another one's; create a new key for " +
			"GOOGLE_APPLICATION_CREDENTIALS",
	},
	{
		Code: "credentials", Text: "account not found", Kind: cloud.BadCredentials,
		Advice: "the service account does not exist any more",
	},
	{Code: "credentials", Kind: cloud.BadCredentials},
}
