// Kubernetes' own schemas over each document of the files named. Prints one line a document and 'N passed, N failed'.
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

let passed = 0;
let failed = 0;

for (const file of process.argv.slice(2)) {
    for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
        const object = document.toJS();
        const schemas = object.apiVersion.startsWith("keda.sh/") ? "@kubernetes-models/keda" : "kubernetes-models";
        try {
            const Model = (await import(`${schemas}/${object.apiVersion}/${object.kind}`))[object.kind];
            new Model(object).validate();
            passed += 1;
            console.log(`ok - ${object.kind} ${object.metadata.name}`);
        } catch (error) {
            failed += 1;
            console.log(`not ok - ${object.kind} ${object.metadata?.name}: ${error.message}`);
        }
    }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
