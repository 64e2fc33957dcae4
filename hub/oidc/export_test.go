package oidc

import "connecthub/models"

// ReturnTo is where a stored journey leads back to.
func ReturnTo(l models.OIDCLogin) string { return returnTo(l) }
