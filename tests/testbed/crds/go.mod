module bobbypin.dev/testbed/crds

go 1.26.0

require (
	github.com/fluxcd/helm-controller v1.6.3
	github.com/fluxcd/kustomize-controller v1.9.3
	github.com/fluxcd/notification-controller v1.9.3
	github.com/fluxcd/source-controller v1.9.3
	sigs.k8s.io/gateway-api v1.4.1
)
