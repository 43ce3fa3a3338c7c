package azure

import (
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// What to do about an answer, if several rows share it.
const (
	writeHTTPS = "the account demands https; remove protocol=http from the URL"
	checkVault = "the service cannot use the account's own key in Key Vault; check that the key and its vault " +
		"exist and are enabled, and that the account's identity may use the key"
	endPolicy   = "an immutability policy or a legal hold of the container protects the object"
	endLease    = "a lease protects the object; end the lease (az storage blob lease break), and the program that takes it"
	renewToken  = "the token or the shared access signature has expired: renew it, and run the same command again"
	accountGone = "the storage account or the container is disabled; check the subscription's state and its bills"
	thaw        = "the object is in the archive tier; move it to another tier, which takes hours, " +
		"and run the same command again"
)

// answers are the meanings of Azure's answers.
var answers = []cloud.Meaning{
	// The object is there, or is not.
	{
		Code: string(bloberror.ContainerBeingDeleted), Kind: cloud.NoBucket,
		Advice: "the container is being deleted; wait until that is done and create it, or correct the URL",
	},
	{Code: string(bloberror.ContainerNotFound), Kind: cloud.NoBucket},
	{Code: string(bloberror.BlobNotFound), Kind: cloud.NotFound},
	{Code: string(bloberror.ResourceNotFound), Kind: cloud.NotFound},
	{Code: string(bloberror.BlobAlreadyExists), Kind: cloud.Precondition},
	{Code: string(bloberror.UnauthorizedBlobOverwrite), Kind: cloud.Precondition},
	{Code: string(bloberror.ConditionNotMet), Kind: cloud.Precondition},
	{Code: string(bloberror.BlobArchived), Kind: cloud.Frozen, Advice: thaw},
	{
		Code: string(bloberror.BlobBeingRehydrated), Kind: cloud.Frozen,
		Advice: "the object is being moved out of the archive tier, which takes hours; run the same command again " +
			"afterwards",
	},
	{
		Code: "DirectoryIsNotEmpty", Kind: cloud.Misconfigured,
		Advice: "the key is that of a directory; delete what is in it first",
	},
	{
		Code: string(bloberror.ResourceTypeMismatch), Kind: cloud.Misconfigured,
		Advice: "a directory has the key of an object; delete the directory, or use another prefix",
	},

	// What protects an object.
	{Code: string(bloberror.BlobImmutableDueToPolicy), Kind: cloud.Protected, Advice: endPolicy},
	{Code: "BlobImmutableDueToLegalHold", Kind: cloud.Protected, Advice: endPolicy},
	{Code: string(bloberror.ImmutabilityPolicyDeleteOnLockedPolicy), Kind: cloud.Protected, Advice: endPolicy},
	{
		Code: string(bloberror.SnapshotsPresent), Kind: cloud.Protected,
		Advice: "the object has snapshots of another program; delete these first",
	},
	{Code: "Lease*", Kind: cloud.Protected, Advice: endLease},

	// It is busy.
	{Code: string(bloberror.ServerBusy), Kind: cloud.Throttled},
	{Code: string(bloberror.OperationTimedOut), Kind: cloud.TimedOut},
	{
		Code: string(bloberror.AccountBeingCreated), Kind: cloud.Busy,
		Advice: "the storage account is being created; try again later",
	},
	{Code: string(bloberror.SystemInUse), Kind: cloud.Busy},
	{
		Code: string(bloberror.BlockCountExceedsLimit), Kind: cloud.Other,
		Advice: "earlier attempts to store the object left too many blocks; Azure drops them a week after the " +
			"last one",
	},

	// Keys of the account.
	{Code: "KeyVault*", Kind: cloud.Blocked, Advice: checkVault},
	{
		Code: string(bloberror.BlobUsesCustomerSpecifiedEncryption), Kind: cloud.Denied,
		Advice: "another program stored the object with a key of its own, which strongroom does not have; store " +
			"it again with a key of the account",
	},

	// The account, its network, and its bills.
	{Code: string(bloberror.AccountIsDisabled), Kind: cloud.Blocked, Advice: accountGone},
	{Code: string(bloberror.ContainerDisabled), Kind: cloud.Blocked, Advice: accountGone},
	{Code: "AccountRequiresHttps", Kind: cloud.Misconfigured, Advice: writeHTTPS},
	{
		Code: string(bloberror.AuthorizationProtocolMismatch), Kind: cloud.Misconfigured,
		Advice: "the shared access signature demands https; remove protocol=http from the URL",
	},
	{
		Code: "TlsVersionNotPermitted", Kind: cloud.Misconfigured,
		Advice: "the account demands a newer version of TLS than a proxy on the way has",
	},
	{
		Code: string(bloberror.AuthorizationSourceIPMismatch), Kind: cloud.Denied,
		Advice: "the shared access signature, or the account's network rules, do not allow the address of this " +
			"host",
	},
	{
		Code: string(bloberror.AuthorizationFailure), Kind: cloud.Denied,
		Advice: "check the account's network rules (firewall, private endpoint), and that AZURE_STORAGE_KEY, if " +
			"it is set, is a key of this account",
	},

	// Credentials and clocks.
	{
		Code: "KeyBasedAuthenticationNotPermitted", Kind: cloud.Denied,
		Advice: "the storage account refuses keys; unset AZURE_STORAGE_KEY, so that Microsoft Entra ID is used",
	},
	{
		Code: string(bloberror.AuthenticationFailed), Text: "not valid in the specified time frame",
		Kind:   cloud.BadCredentials,
		Advice: renewToken,
	},
	{
		Code: string(bloberror.AuthenticationFailed), Text: "date header", Kind: cloud.BadCredentials,
		Advice: "set this host's clock",
	},
	{
		Code: string(bloberror.InvalidAuthenticationInfo), Text: "expired", Kind: cloud.BadCredentials,
		Advice: renewToken,
	},
	{
		Code: string(bloberror.InvalidAuthenticationInfo), Text: "issuer", Kind: cloud.BadCredentials,
		Advice: "the token is that of another tenant; check AZURE_TENANT_ID",
	},
	{Code: string(bloberror.AuthenticationFailed), Kind: cloud.BadCredentials},
	{Code: string(bloberror.InvalidAuthenticationInfo), Kind: cloud.BadCredentials},
	{Code: string(bloberror.NoAuthenticationInformation), Kind: cloud.BadCredentials},
	{Code: "PublicAccessNotPermitted", Kind: cloud.Denied},

	// Names and features.
	{Code: string(bloberror.InvalidResourceName), Kind: cloud.Misconfigured},
	{Code: string(bloberror.InvalidURI), Kind: cloud.Misconfigured},
	{Code: string(bloberror.UnsupportedHTTPVerb), Kind: cloud.Misconfigured},
	{Code: string(bloberror.OutOfRangeInput), Kind: cloud.Misconfigured},
	{Code: string(bloberror.FeatureVersionMismatch), Kind: cloud.Misconfigured},
	{Code: "FeatureNotSupported", Kind: cloud.Misconfigured},
}
