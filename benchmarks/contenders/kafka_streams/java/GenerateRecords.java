import java.io.File;
import org.apache.avro.Schema;
import org.apache.avro.compiler.specific.SpecificCompiler;
import org.apache.avro.generic.GenericData;

/** Writes Avro's specific record classes: GenerateRecords OUTPUT_FOLDER SCHEMA... */
public final class GenerateRecords {
    public static void main(String[] arguments) throws Exception {
        File folder = new File(arguments[0]);
        for (int i = 1; i < arguments.length; i++) {
            SpecificCompiler compiler = new SpecificCompiler(new Schema.Parser().parse(new File(arguments[i])));
            compiler.setStringType(GenericData.StringType.String);
            compiler.setEnableDecimalLogicalType(true);
            compiler.setFieldVisibility(SpecificCompiler.FieldVisibility.PRIVATE);
            compiler.compileToDestination(null, folder);
        }
    }
}
