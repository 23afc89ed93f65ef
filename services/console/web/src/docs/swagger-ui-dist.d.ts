declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  type Options = {
    dom_id: string;
    url: string;
    validatorUrl: null;
    deepLinking: boolean;
    docExpansion: "list" | "full" | "none";
  };
  export default function SwaggerUI(options: Options): unknown;
}
