// Package install stands in for the one that `fluxctl install` prints manifests from.
package install

import "errors"

// TemplateParameters are what the command's flags fill in.
type TemplateParameters struct {
	GitURL                  string
	GitBranch               string
	GitPaths                []string
	GitLabel                string
	GitUser                 string
	GitEmail                string
	GitReadOnly             bool
	Namespace               string
	ManifestGeneration      bool
	AdditionalFluxArgs      []string
	RegistryDisableScanning bool
	AddSecurityContext      bool
	ConfigAsConfigMap       bool
	ConfigFileContent       string
}

// FillInTemplates refuses: no test needs what it would print.
func FillInTemplates(_ TemplateParameters) (map[string][]byte, error) {
	return nil, errors.New("this fluxctl is built for tests and cannot print manifests")
}
