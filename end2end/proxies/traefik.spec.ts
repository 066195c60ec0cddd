import { journeys } from "./journeys.ts";
import { traefik } from "./kinds.ts";

journeys(traefik);
